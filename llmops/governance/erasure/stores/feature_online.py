"""Feast's online store on SQLite: rows by entity key, deleted and overwritten on the disk.

Feast 0.67 deletes by entity in Redis and FAISS alone, so this speaks SQL. Any other online store is refused: nothing
may be certified that was not looked at.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from string import Template

import fsspec
import yaml

from llmops.errors import ConfigurationError
from llmops.governance.erasure.person import Person
from llmops.governance.erasure.places import Found, Places
from llmops.settings import Settings

_BUSY_SECONDS = 60


def find(person: Person, places: Places) -> list[Found]:
    """Entities that are the person or their examples, by table, and entities with a value that names them."""
    found = []
    with closing(_connect(places.settings)) as connection:
        for table in _tables(connection):
            keys = _keys_of(connection, table, person)
            if keys:
                found.append(Found(f"feature_store/online/{table}", len(keys)))
    return found


def erase(person: Person, places: Places) -> None:
    """Delete the rows of those entities, and rebuild the file if a page that is free still holds a name or an id."""
    path = path_of(places.settings)
    with closing(_connect(places.settings)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        for table in _tables(connection):
            keys = _keys_of(connection, table, person)
            with connection:
                connection.executemany(f"DELETE FROM {table} WHERE entity_key = ?", [(key,) for key in keys])  # noqa: S608
        if path is not None and _is_in_any(path, person):
            connection.execute("VACUUM")


def path_of(settings: Settings) -> Path | None:
    """The SQLite file; None where no feature store is set up. Raises ConfigurationError for another kind of store."""
    definition = settings.feature_repo / "feature_store.yaml"
    if not definition.is_file():
        raise ConfigurationError(f"{definition}: not there; set LLMOPS_FEATURE_REPO to the folder that holds it")
    lake = fsspec.url_to_fs(settings.lake)[1]
    content = yaml.safe_load(Template(definition.read_text(encoding="utf-8")).safe_substitute(LLMOPS_LAKE=lake))
    online = content.get("online_store") or {"type": "sqlite", "path": "data/online.db"}  # Feast's default
    if online.get("type") != "sqlite":
        raise ConfigurationError(
            f"{definition}: the online store is {online.get('type')}, from which nothing can be erased yet; "
            "add a store to llmops/governance/erasure/stores that deletes its entities, or use sqlite"
        )
    path = Path(settings.feature_repo, online["path"])
    return path if path.is_file() else None


def _is_in_any(path: Path, person: Person) -> bool:
    data = path.read_bytes()
    return person.is_in(data) or any(row_id.encode() in data for row_id in person.row_ids)


def _connect(settings: Settings) -> sqlite3.Connection:
    path = path_of(settings)
    return sqlite3.connect(":memory:" if path is None else path, timeout=_BUSY_SECONDS)


def _tables(connection: sqlite3.Connection) -> list[str]:
    """Quoted names of the tables with entity keys."""
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    return [table for table in quoted if "entity_key" in _columns(connection, table)]


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {column[1] for column in connection.execute(f"PRAGMA table_info({table})")}


def _keys_of(connection: sqlite3.Connection, table: str, person: Person) -> list[bytes]:
    concerned = set()
    for key, value in connection.execute(f"SELECT entity_key, value FROM {table}"):  # noqa: S608 - quoted above
        if key not in concerned and (_is_persons(key, person) or (value is not None and person.is_in(value))):
            concerned.add(key)
    return sorted(concerned)


def _is_persons(key: bytes, person: Person) -> bool:
    return any(value in person.row_ids or person.is_subject(value) for value in _values(key))


def _values(key: bytes) -> Iterator[str]:
    """The values in one of Feast's entity keys."""
    from feast.infra.key_encoding_utils import deserialize_entity_key  # noqa: PLC0415 - takes 5 CPU seconds

    for value in deserialize_entity_key(key, entity_key_serialization_version=3).entity_values:
        yield value.string_val
