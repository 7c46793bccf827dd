"""Comma-separated rows: every value stays text, so ids keep their zeros."""

import csv
import io
from collections.abc import Iterator

from llmops.collection.config import CsvSource
from llmops.collection.records import Broken, Record, UnreadableError


def fetch(data: bytes, source: CsvSource) -> Iterator[Record | Broken]:
    """Rows below the header; empty values become None.

    Rows of another width and rows with bytes outside the encoding come out as Broken.
    """
    text = data.decode(source.encoding, errors="surrogateescape").removeprefix("\ufeff")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=source.delimiter)
    header = next(rows, None)
    if not header or "\0" in "".join(header):
        raise UnreadableError("no header line")
    for position, row in enumerate(rows):
        if not row:
            continue
        raw = source.delimiter.join(row).encode(source.encoding, "surrogateescape").decode(source.encoding, "replace")
        if len(row) != len(header):
            yield Broken("malformed_record", f"{len(row)} values under {len(header)} columns", position, raw)
        elif any("\udc80" <= character <= "\udcff" for value in row for character in value):
            yield Broken("malformed_record", f"bytes that are not {source.encoding}", position, raw)
        else:
            yield Record(position, {name: value or None for name, value in zip(header, row, strict=True)})
