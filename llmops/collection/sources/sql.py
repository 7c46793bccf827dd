"""Rows of a query on a SQLite file, opened read only, between the bounds of one day."""

import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from llmops.collection.config import SqlSource
from llmops.collection.records import Broken, Record, UnreadableError
from llmops.errors import ConfigurationError


def fetch(data: bytes, source: SqlSource, day: date) -> Iterator[Record | Broken]:
    """Rows of the source's query with `:day_start` and `:day_end` bound; values as text, NULL as None.

    Raises UnreadableError for a file that is no database, ConfigurationError for a query that it refuses.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    bounds = {"day_start": start.isoformat(), "day_end": (start + timedelta(days=1)).isoformat()}
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as copy:
        Path(copy.name).write_bytes(data)
        connection = sqlite3.connect(f"file:{copy.name}?mode=ro&immutable=1", uri=True)
        try:
            rows = connection.execute(source.query, bounds)
            names = [column[0] for column in rows.description]
            for position, row in enumerate(rows):
                values = (None if value is None else str(value) for value in row)
                yield Record(position, dict(zip(names, values, strict=True)))
        except sqlite3.OperationalError as error:
            raise ConfigurationError(f"source `{source.name}`: {error}; correct its query") from error
        except sqlite3.DatabaseError as error:
            raise UnreadableError(f"not a SQLite database ({error})") from error
        finally:
            connection.close()
