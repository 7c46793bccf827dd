"""What the disk and the system do to a writer: kill -9, no room, other writers, files removed under its hands."""

import json
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from llmops.errors import ConfigurationError
from llmops.monitoring.interactions import reading
from llmops.monitoring.interactions.redaction import PersonalDataRedactor
from llmops.monitoring.interactions.writer import InteractionWriter
from tests.monitoring.interactions.samples import NOON, answer_id, bytes_in, exchange, lines_in

PROGRAM = [sys.executable, "-m", "tests.monitoring.interactions.processes"]


@pytest.mark.parametrize("goal", [10, 100, 300])
def test_killed_writer_loses_nothing_that_it_flushed(tmp_path: Path, goal: int) -> None:
    command = [*PROGRAM, "write_until_killed", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        flushed = next(int(line) for line in writer.stdout if int(line) >= goal)
        writer.kill()
        flushed = max([flushed, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        writer.stderr.read()  # ends when nobody holds it: neither the writer nor the process that it redacts in

    assert writer.returncode == -signal.SIGKILL
    found, aside = reading.read_day(str(tmp_path), NOON.date())
    kept = {item.record.answer_id for item in found}
    assert {answer_id(number) for number in range(flushed)} <= kept
    assert {row["rule"] for row in aside} <= {"torn_line"}
    assert len(aside) <= 1


def test_full_disk_raises_nothing_and_is_counted(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "write_to_a_full_disk", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    full, after = json.loads(done.stdout)
    assert full["dropped_disk"] > 0
    assert full["written"] + full["dropped_disk"] == 200
    kept = [line["record"]["answer_id"] for line in lines_in(tmp_path)]  # every line is whole
    assert len(kept) == full["written"] + 1 == after["written"]
    assert kept[-1] == answer_id(999)


def test_writers_in_many_processes_and_threads_keep_each_record_once(tmp_path: Path) -> None:
    processes = [subprocess.Popen([*PROGRAM, "write_many", str(tmp_path), str(first)]) for first in (0, 500, 1000)]
    writer = InteractionWriter(tmp_path, redactors=[PersonalDataRedactor(), PersonalDataRedactor()])

    def record(first: int) -> None:
        for number in range(first, first + 100):
            writer.record_exchange(exchange(number))

    threads = [threading.Thread(target=record, args=(first,)) for first in range(1500, 2000, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert writer.close()
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    kept = [line["record"]["answer_id"] for line in lines_in(tmp_path)]
    assert sorted(kept) == [answer_id(number) for number in range(2000)]
    assert len(list(tmp_path.rglob("*.jsonl"))) == 4


def test_records_lie_under_their_own_days(tmp_path: Path) -> None:
    writer = InteractionWriter(tmp_path, redactors=[PersonalDataRedactor()])
    for number, days in enumerate([0, 1, 0, 2, 1, 0]):
        writer.record_exchange(exchange(number, event_time=NOON + timedelta(days=days)))

    assert writer.close()
    for day, numbers in {"2026-11-02": {0, 2, 5}, "2026-11-03": {1, 4}, "2026-11-04": {3}}.items():
        kept = {line["record"]["answer_id"] for line in lines_in(tmp_path / f"ds={day}")}
        assert kept == {answer_id(number) for number in numbers}


def test_file_that_was_removed_is_not_written_to_any_more(tmp_path: Path) -> None:
    writer = InteractionWriter(tmp_path, redactors=[PersonalDataRedactor()])
    writer.record_exchange(exchange(1))
    assert writer.flush()
    (path,) = tmp_path.rglob("*.jsonl")
    path.unlink()

    writer.record_exchange(exchange(2))

    assert writer.close()
    assert [line["record"]["answer_id"] for line in lines_in(tmp_path)] == [answer_id(2)]


def test_only_the_owner_can_read_what_is_kept(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    writer = InteractionWriter(spool, redactors=[PersonalDataRedactor()])
    writer.record_exchange(exchange(1))
    assert writer.close()

    assert {path.stat().st_mode & 0o077 for path in (spool, *spool.rglob("*"))} == {0}
    assert b"Question 1?" in bytes_in(spool)


def test_folder_that_cannot_be_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="name another folder"):
        InteractionWriter(tmp_path / "file")
