"""Comma-separated rows: every value stays text, so ids keep their zeros."""

import csv
import io
import sys
from collections.abc import Iterator
from itertools import count

from llmops.collection.config import CsvSource
from llmops.collection.records import Broken, Record, UnreadableError

csv.field_size_limit(sys.maxsize)  # files are in memory anyway; a value cut at 128 KiB would be read on as rows


def fetch(data: bytes, source: CsvSource) -> Iterator[Record | Broken]:
    """Rows below the header; empty values become None.

    Rows of another width, rows with bytes outside the encoding and rows with misplaced quotes come out as Broken; so
    does, as one, everything that an unclosed quote swallows.
    """
    try:
        text = data.decode(source.encoding, errors="surrogateescape").removeprefix("\ufeff")
    except UnicodeError as error:  # half a character of UTF-16 or UTF-32 cannot be escaped
        raise UnreadableError(f"not {source.encoding}: {error}") from error
    lines = _Lines(text)
    rows = csv.reader(lines, delimiter=source.delimiter, strict=True)
    try:
        header = next(rows, None)
    except csv.Error as error:
        raise UnreadableError(f"no header line: {error}") from error
    if not header or "\0" in "".join(header):
        raise UnreadableError("no header line")
    for position in count():
        lines.taken.clear()
        try:
            row = next(rows, None)
        except csv.Error as error:
            raw = _readable("".join(lines.taken), source.encoding)
            yield Broken("malformed_record", f"misplaced or unclosed quote: {error}", position, raw)
            continue
        if row is None:
            return
        if row:
            yield _record(position, header, row, source)


class _Lines:
    """The lines of a text, and those that were taken for the row at hand."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.taken.append(line)
            yield line


def _record(position: int, header: list[str], row: list[str], source: CsvSource) -> Record | Broken:
    raw = _readable(source.delimiter.join(row), source.encoding)
    if len(row) != len(header):
        return Broken("malformed_record", f"{len(row)} values under {len(header)} columns", position, raw)
    if any("\udc80" <= character <= "\udcff" for value in row for character in value):
        return Broken("malformed_record", f"bytes that are not {source.encoding}", position, raw)
    return Record(position, {name: value or None for name, value in zip(header, row, strict=True)})


def _readable(text: str, encoding: str) -> str:
    """The text with replacement characters for bytes outside the encoding."""
    try:
        return text.encode(encoding, "surrogateescape").decode(encoding, "replace")
    except UnicodeEncodeError:  # not every encoding can spell what it decoded; the quarantine replaces what is left
        return text
