"""Background processes of this machine's platform: started apart from the terminal, measured, and ended without a rest.

Every process started here, and whatever it starts, carries the mark `LLMOPS_PLATFORM` in its environment. Airflow runs
each task in a session of its own, and some programs overwrite the memory that holds their environment, so a process
belongs to the platform when it carries the mark or when its parent or session does. Linux only: reads /proc.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_MARK = "LLMOPS_PLATFORM"
_TASK = "AIRFLOW_CTX_TASK_ID"  # Airflow's BashOperator sets it for its command


@dataclass(frozen=True)
class Process:
    """One process as /proc shows it."""

    pid: int
    started: str
    """Start time in clock ticks since boot: with it a process id is unique."""
    parent: int
    session: int
    mark: str
    task: str
    """The Airflow task it works for; empty for none."""


@dataclass(frozen=True)
class Processes:
    """The processes whose pid files and logs lie in `folder`."""

    folder: Path
    _children: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict, repr=False, compare=False)

    def start(
        self, name: str, command: list[str], environment: Mapping[str, str], cwd: Path, *, keeps_log: bool = False
    ) -> None:
        """Start `command` in a session of its own; its output goes to NAME.log, after what is kept of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab" if keeps_log else "wb") as output:
            child = subprocess.Popen(
                command,
                env={**environment, _MARK: self._mark},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children[name] = child
        process = _read(child.pid)
        if process is not None:
            (self.folder / f"{name}.pid").write_text(f"{process.pid} {process.started}\n")

    def wait(self, name: str) -> int:
        """Wait for a process that this object started to end by itself; its exit status."""
        return self._children[name].wait()

    def log(self, name: str) -> Path:
        """File with the output of a process."""
        return self.folder / f"{name}.log"

    def tail(self, name: str) -> str:
        """The end of a process's output."""
        return self.log(name).read_text(errors="replace")[-3000:]

    def running(self) -> dict[str, int]:
        """Name and process id of what was started and still lives."""
        found = {}
        for path in sorted(self.folder.glob("*.pid")):
            pid, _, started = path.read_text().strip().partition(" ")
            process = _read(int(pid))
            if process is not None and process.started == started:  # else the id went to another process since
                found[path.stem] = process.pid
        return found

    def members(self) -> set[Process]:
        """Every living process of the platform."""
        everything = _read_all()
        roots = set(self.running().values())
        mine = {item for item in everything if item.mark == self._mark or {item.pid, item.session} & roots}
        while more := {item for item in everything if item.parent in {known.pid for known in mine}} - mine:
            mine |= more
        return mine

    def stop(self, patience_seconds: float = 20.0) -> list[str]:
        """End everything and return the names of what ran; nothing is left when this returns.

        What has not ended `patience_seconds` after it was asked to is killed.
        """
        names = list(self.running())
        deadline = time.monotonic() + patience_seconds
        told: set[Process] = set()
        while left := {item for item in told if _is_alive(item)} | self.members():
            is_late = time.monotonic() > deadline
            for item in left if is_late else left - told:
                with suppress(ProcessLookupError):  # it ended by itself
                    os.kill(item.pid, signal.SIGKILL if is_late else signal.SIGTERM)
            told |= left
            time.sleep(0.2)
        for child in self._children.values():
            child.wait()  # it has ended; without this it would stay behind as a zombie
        for path in self.folder.glob("*.pid"):
            path.unlink()
        return names

    @property
    def _mark(self) -> str:
        return str(self.folder.resolve())


def memory_bytes(pid: int) -> int:
    """Memory of a process, pages that it shares counted in equal parts (PSS); 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _read_all() -> set[Process]:
    found = (_read(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit())
    return {item for item in found if item is not None and item.pid != os.getpid()}


def _read(pid: int) -> Process | None:
    """The process, or None when it is gone, or ended and only not yet waited for."""
    try:
        # The program's name, in brackets, may hold spaces: what is counted starts behind it (man proc_pid_stat).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    if fields[0] in "ZX":
        return None
    named = {key: value for key, _, value in (item.decode(errors="replace").partition("=") for item in environment)}
    return Process(
        pid=pid,
        started=fields[19],
        parent=int(fields[1]),
        session=int(fields[3]),
        mark=named.get(_MARK, ""),
        task=named.get(_TASK, ""),
    )


def _is_alive(process: Process) -> bool:
    now = _read(process.pid)
    return now is not None and now.started == process.started
