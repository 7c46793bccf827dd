"""What the services logged: their ECS JSON lines of one dataset, read back in the order of time.

The lines lie in files: of one service or several, rotated or not. Whatever else these files hold is passed over. A file
is read while its service writes on; lines that come later are seen by the next reading.

Not covered: compressed files, and lines that a shipper has wrapped into records of its own.
"""

import heapq
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple

import fsspec

ACCESS = "llmops.access"
"""Dataset with one line for each request that was answered."""
_WHEN = re.compile(rb'"@timestamp": ?"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z"')


class Line(NamedTuple):
    """One line of a log."""

    at: datetime
    """When it was written (UTC)."""
    fields: dict[str, Any]
    """Its fields by their dotted ECS names, such as `http.response.status_code`."""


class ServiceLog:
    """Lines of one dataset since a time, each file in its own order and all of them merged by time."""

    def __init__(self, pattern: str, *, dataset: str, since: datetime) -> None:
        self._pattern, self._dataset, self._since = pattern, dataset, since
        self._mark = json.dumps(dataset).encode()
        self._second = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
        self.skipped = 0
        """Lines that name the dataset and are no whole record, as a killed service leaves them; counted while read."""

    def __iter__(self) -> Iterator[Line]:
        """Start reading anew, whatever the files hold by then."""
        self.skipped = 0
        files, pattern = fsspec.url_to_fs(self._pattern)
        with ExitStack() as opened:
            streams = [opened.enter_context(files.open(path, "rb")) for path in sorted(files.glob(pattern))]
            yield from heapq.merge(*(self._lines(stream) for stream in streams), key=lambda line: line.at)

    def _lines(self, stream: IO[bytes]) -> Iterator[Line]:
        for data in stream:
            # Much cheaper than parsing what other datasets say, or what was said long ago.
            if self._mark not in data or self._is_earlier(data):
                continue
            line = _parse(data)
            if line is None:
                self.skipped += 1
            elif line.at >= self._since and line.fields.get("event.dataset") == self._dataset:
                yield line

    def _is_earlier(self, data: bytes) -> bool:
        """Whether a line says, in whole seconds of UTC, that it was written before."""
        found = _WHEN.search(data)
        return found is not None and found[1] < self._second


def read(pattern: str, *, dataset: str, since: datetime) -> ServiceLog:
    """The lines of `dataset` written since a time (UTC) in the files that match the glob `pattern`; none is fine."""
    return ServiceLog(pattern, dataset=dataset, since=since)


def _parse(data: bytes) -> Line | None:
    """The line, or None if it is not a whole JSON object with a time."""
    try:
        record = json.loads(data)
        at = datetime.fromisoformat(record["@timestamp"])
        return Line(at if at.tzinfo else at.replace(tzinfo=UTC), dict(_flat(record)))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _flat(record: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`{"http": {"request": {"id": 1}}}` → `("http.request.id", 1)`."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
