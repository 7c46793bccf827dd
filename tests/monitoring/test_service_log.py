"""Lines of services' logs read back: whole ones of one dataset, in the order of time, whatever else the files hold."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from llmops import logs
from llmops.monitoring import service_log

SINCE = datetime(2026, 3, 7, 12, tzinfo=UTC)


def line(second: int, number: int, dataset: str = "llmops.access", minute: int = 0) -> str:
    """A line as ecs_logging writes it."""
    at = f"2026-03-07T12:{minute:02}:{second:02}.250Z"
    record = {"@timestamp": at, "message": "request.answered", "event": {"dataset": dataset}, "number": number}
    return json.dumps(record) + "\n"


def numbers(log: service_log.ServiceLog) -> list[int]:
    return [fields["number"] for _, fields in log]


def read(folder: Path, since: datetime = SINCE) -> service_log.ServiceLog:
    return service_log.read(f"{folder}/service*.log", dataset=service_log.ACCESS, since=since)


def test_lines_of_several_files_come_in_the_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "service.log").write_text(line(1, 1) + line(4, 4) + line(5, 5))
    (tmp_path / "service-b.log").write_text(line(2, 2) + line(6, 6))
    (tmp_path / "service.log.1").write_text(line(0, 100))
    (tmp_path / "service.1.log").write_text(line(3, 3))
    (tmp_path / "airflow.log").write_text(line(3, 100))

    assert numbers(read(tmp_path)) == [1, 2, 3, 4, 5, 6]


def test_only_the_dataset_since_the_time_is_read(tmp_path: Path) -> None:
    text = line(10, 1) + line(20, 2, "llmops.other") + line(30, 3) + "2026-03-07 INFO llmops.access\n"
    (tmp_path / "service.log").write_text(text)

    log = read(tmp_path, SINCE.replace(second=20))

    assert numbers(log) == [3]


@pytest.mark.parametrize("at", ["2026-03-07T12:00:20.250Z", "2026-03-07T12:00:20Z", "2026-03-07T13:00:20.250+01:00"])
@pytest.mark.parametrize(("millisecond", "is_read"), [(-1, True), (251, False)])
def test_time_counts_by_the_millisecond_however_it_is_written(
    tmp_path: Path, at: str, millisecond: int, is_read: bool
) -> None:
    (tmp_path / "service.log").write_text(line(0, 1).replace("2026-03-07T12:00:00.250Z", at))

    log = read(tmp_path, SINCE + timedelta(seconds=20, milliseconds=millisecond))

    assert numbers(log) == ([1] if is_read else [])


def test_half_a_line_is_passed_over_and_counted(tmp_path: Path) -> None:
    killed = line(2, 2)
    text = line(1, 1) + killed[: len(killed) // 2 + 20] + line(3, 3) + line(4, 4) + '["llmops.access"]\n'
    (tmp_path / "service.log").write_text(text + line(5, 5)[:-10])

    log = read(tmp_path)

    assert numbers(log) == [1, 4]  # what was written right behind the half line is lost with it
    assert log.skipped == 3
    assert numbers(log) == [1, 4]
    assert log.skipped == 3


def test_no_file_means_no_line(tmp_path: Path) -> None:
    assert numbers(read(tmp_path)) == []


def test_what_our_own_logging_writes_is_read_back(tmp_path: Path) -> None:
    stream = io.StringIO()
    logs.configure("json", stream)
    try:
        fields = {"event.dataset": "llmops.access", "event.duration": 5, "http.response.status_code": 200}
        structlog.get_logger().info("request.answered", **fields)
    finally:
        structlog.reset_defaults()
    (tmp_path / "service.log").write_text(stream.getvalue())

    ((at, found),) = read(tmp_path)

    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert found.items() >= fields.items()
