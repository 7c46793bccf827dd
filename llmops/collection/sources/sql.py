"""Rows of a query on a SQLite file, opened read only, between the bounds of one day."""

import json
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from llmops.collection.config import SqlSource
from llmops.collection.records import Broken, Record, UnreadableError
from llmops.errors import ConfigurationError

_UNDECODED = re.compile("[\udc80-\udcff]")


def fetch(data: bytes, source: SqlSource, day: date) -> Iterator[Record | Broken]:
    """Rows of the source's query with `:day_start` and `:day_end` bound; values as text, NULL as None.

    A row with text that is not UTF-8 comes out as Broken. Raises UnreadableError for a file that is no database,
    ConfigurationError for a query that it refuses.
    """
    if not data:
        raise UnreadableError("not a SQLite database (an empty file)")  # SQLite takes it for one without tables
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as copy:
        Path(copy.name).write_bytes(data)
        connection = sqlite3.connect(f"file:{copy.name}?mode=ro&immutable=1", uri=True)
        connection.text_factory = lambda value: value.decode("utf-8", "surrogateescape")
        try:
            _require_schema(connection)
            yield from _rows(connection, source, day)
        except (sqlite3.OperationalError, sqlite3.ProgrammingError) as error:
            raise ConfigurationError(f"source `{source.name}`: {error}; correct its query") from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # UnicodeDecodeError: the names of columns
            raise UnreadableError(f"not a SQLite database ({error})") from error
        finally:
            connection.close()


def _require_schema(connection: sqlite3.Connection) -> None:
    """Read the header and the schema: what fails here is the fault of the file, whatever SQLite calls it."""
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # UnicodeDecodeError: a message that quotes the file
        raise UnreadableError(f"not a SQLite database ({error})") from error


def _rows(connection: sqlite3.Connection, source: SqlSource, day: date) -> Iterator[Record | Broken]:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    bounds = {"day_start": start.isoformat(), "day_end": (start + timedelta(days=1)).isoformat()}
    rows = connection.execute(source.query, bounds)
    if rows.description is None:
        raise ConfigurationError(f"source `{source.name}`: not a SELECT; correct its query")
    names = [column[0] for column in rows.description]
    for position, row in enumerate(rows):
        fields = {name: None if value is None else str(value) for name, value in zip(names, row, strict=True)}
        raw = json.dumps(fields, ensure_ascii=False, sort_keys=True)
        if _UNDECODED.search(raw):
            yield Broken("malformed_record", "text that is not UTF-8", position, raw)
        else:
            yield Record(position, fields)
