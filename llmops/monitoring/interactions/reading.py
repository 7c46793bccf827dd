"""The spool as it is read: whole lines, whoever wrote them, and notes on everything else."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

import fsspec
from fsspec import AbstractFileSystem
from pydantic import ValidationError

from llmops import artifacts, digests
from llmops.monitoring.interactions.records import Exchange, Feedback, Line

_ANSWER_ID = re.compile(rb'"answer_id":"([0-9a-f]{64})"')


@dataclass(frozen=True, slots=True)
class Found:
    """A line of the spool."""

    row_id: str
    """Made from the line's content alone: a file that was copied or moved gives the same rows."""
    uri: str
    """File, relative to the spool."""
    line: Line

    @property
    def record(self) -> Exchange | Feedback:
        """The exchange or feedback."""
        return self.line.record


def has_days(spool: str) -> bool:
    """Whether anything was ever written below `spool`."""
    files, root = fsspec.url_to_fs(spool)
    return bool(files.glob(f"{root}/ds=*"))


def day_files(spool: str, day: date) -> list[str]:
    """The files of a day, relative to the spool, in order."""
    files, root = fsspec.url_to_fs(spool)
    return [_relative(files, root, path) for path in sorted(files.glob(f"{root}/ds={day}/*.jsonl"))]


def read_day(
    spool: str, day: date, answer_ids: Collection[str] | None = None
) -> tuple[list[Found], list[dict[str, Any]]]:
    """The lines of a day, or those about `answer_ids`, and rows for the quarantine.

    Set aside are: the end of a file without a line feed (its writer died or is writing), lines that are no record, and
    records of another day. Neither row nor reason holds text, so that there is nothing in quarantine to be erased.
    """
    found: dict[str, Found] = {}
    aside: dict[str, dict[str, Any]] = {}
    files, root = fsspec.url_to_fs(spool)
    for name in day_files(spool, day):
        with files.open(artifacts.join(root, name), "rb") as stream:
            for number, data in enumerate(stream, start=1):
                if answer_ids is not None and _answer_id_in(data) not in answer_ids:
                    continue
                item = _parse(data, day, name, number)
                if isinstance(item, Found):
                    found.setdefault(item.row_id, item)
                else:
                    aside[item["row_id"]] = item
    return list(found.values()), list(aside.values())


def _answer_id_in(data: bytes) -> str | None:
    """The answer id of a line, without parsing it: within a text the quotes would have backslashes."""
    match = _ANSWER_ID.search(data)
    return match[1].decode() if match else None


def _parse(data: bytes, day: date, name: str, number: int) -> Found | dict[str, Any]:
    broken = {"row_id": digests.short_id(name, str(number)), "uri": name}
    if not data.endswith(b"\n"):
        return broken | {"rule": "torn_line", "reason": f"line {number} has no end: its writer died, or is writing yet"}
    try:
        line = Line.model_validate_json(data)
    except ValidationError as error:
        kinds = ", ".join(sorted({item["type"] for item in error.errors()}))  # the place might be a key that is text
        return broken | {"rule": "invalid_record", "reason": f"line {number} is no record: {kinds}"}
    written = line.record.event_time.date()
    if written != day:
        return broken | {"rule": "wrong_day", "reason": f"line {number} is of {written}, in the files of {day}"}
    return Found(digests.of_bytes(data)[:32], name, line)


def _relative(files: AbstractFileSystem, root: str, path: str) -> str:
    return path.removeprefix(files._strip_protocol(root)).lstrip("/")
