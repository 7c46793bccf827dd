"""Nothing that was started stays behind, and nothing else is touched."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.memory import MemoryWatch
from scripts.processes import Processes, memory_bytes

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('ready', 'w'); time.sleep(600)"
# As Airflow does it: the parent's title overwrites its environment, the child gets a session and an environment of
# its own.
ESTRANGED = """
import subprocess, time, setproctitle
child = subprocess.Popen(["sleep", "600"], start_new_session=True, env={"AIRFLOW_CTX_TASK_ID": "clean"})
setproctitle.setproctitle("title " * 200)
open("ready", "w").write(str(child.pid))
time.sleep(600)
"""
GREEDY = "import time; kept = bytearray(b'x') * 200_000_000; open('ready', 'w'); time.sleep(600)"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    found = Processes(tmp_path / "run")
    yield found
    found.stop(patience_seconds=0)


def start(processes: Processes, tmp_path: Path, program: str) -> str:
    """Start a Python program and wait until it has written the file `ready`; what it wrote."""
    processes.start("program", [sys.executable, "-c", program], os.environ, tmp_path)
    ready = tmp_path / "ready"
    deadline = time.monotonic() + 60
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return ready.read_text()


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_process_that_ignores_the_polite_way_is_killed(processes: Processes, tmp_path: Path) -> None:
    start(processes, tmp_path, STUBBORN)
    pid = processes.running()["program"]

    names = processes.stop(patience_seconds=0.5)

    assert names == ["program"]
    assert not is_alive(pid)
    assert processes.running() == {}


def test_child_in_a_session_of_its_own_ends_as_well(processes: Processes, tmp_path: Path) -> None:
    child = int(start(processes, tmp_path, ESTRANGED))
    tasks = {item.pid: item.task for item in processes.members()}

    processes.stop()

    assert len(tasks) == 2
    assert tasks[child] == "clean"
    assert not any(is_alive(pid) for pid in tasks)


def test_process_id_that_went_to_another_process_is_left_alone(processes: Processes) -> None:
    processes.folder.mkdir()
    (processes.folder / "program.pid").write_text(f"{os.getppid()} 12345\n")

    assert processes.running() == {}
    assert processes.stop() == []
    assert is_alive(os.getppid())


def test_stopping_nothing_is_no_error(processes: Processes) -> None:
    assert processes.stop() == []


def test_memory_is_that_of_the_pages_in_use(processes: Processes, tmp_path: Path) -> None:
    start(processes, tmp_path, GREEDY)

    with MemoryWatch(processes) as memory:
        wait_for_a_sample(memory)

    used = memory_bytes(processes.running()["program"])
    assert 200e6 < used < 260e6
    assert memory.peak_bytes == pytest.approx(used, rel=0.1)
    assert memory_bytes(2**22 + 1) == 0


def wait_for_a_sample(memory: MemoryWatch) -> None:
    deadline = time.monotonic() + 60
    while not memory.peak_bytes and time.monotonic() < deadline:
        time.sleep(0.05)
