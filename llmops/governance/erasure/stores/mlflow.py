"""MLflow: text in its database, and files of runs' artifacts.

What mirrors the lake there holds figures and configurations; a person gets in by what people wrote or stored by hand.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, MetaData, String, Table, create_engine, inspect, make_url, select, text, update

from llmops.errors import ConfigurationError
from llmops.governance.erasure import contents
from llmops.governance.erasure.person import Person
from llmops.governance.erasure.places import Found, Places
from llmops.settings import Settings

_ROOTS = (("experiments", "artifact_location"), ("runs", "artifact_uri"))


def find(person: Person, places: Places) -> list[Found]:
    """Values that name the person, by table, and files of runs that hold them."""
    with _connect(places.settings) as connection:
        if connection is None:
            return []
        counted = [(table.name, sum(1 for _ in _rows(connection, table, person))) for table in _tables(connection)]
        files = [(path, _count(path, person)) for path in _artifact_files(connection)]
    found = [Found(f"mlflow/{name}", rows) for name, rows in counted if rows]
    return found + [Found(f"mlflow/artifacts/{path.name}", items) for path, items in files if items]


def erase(person: Person, places: Places) -> None:
    """Mask the values; rewrite tables, JSON and text files without the person, and delete any other file."""
    with _connect(places.settings) as connection:
        if connection is None:
            return
        for table in _tables(connection):
            _mask(connection, table, person)
        connection.commit()
        for path in _artifact_files(connection):
            _erase_file(path, person)
        connection.commit()
        _rebuild(connection, person, places.settings)


def files(settings: Settings) -> list[Path]:
    """The database's file, if it is one, and all files of runs."""
    with _connect(settings) as connection:
        if connection is None:
            return []
        database = make_url(settings.tracking_uri).database
        own = [Path(database)] if database and connection.dialect.name == "sqlite" else []
        return own + _artifact_files(connection)


@contextmanager
def _connect(settings: Settings) -> Iterator[Connection | None]:
    """The tracking database; None where there is none yet. Raises ConfigurationError for a server."""
    url = make_url(settings.tracking_uri)
    if url.drivername.startswith("http"):
        raise ConfigurationError(
            f"{url.host}: people are erased from MLflow's database, not through its server; set LLMOPS_TRACKING_URI to "
            "the database for this command"
        )
    if url.drivername.startswith("sqlite") and not (url.database and Path(url.database).is_file()):
        yield None
        return
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _tables(connection: Connection) -> list[Table]:
    names = inspect(connection).get_table_names()
    metadata = MetaData()
    return [Table(name, metadata, autoload_with=connection) for name in sorted(names)]


def _rows(connection: Connection, table: Table, person: Person) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Keys of the rows that name the person, and the values that do."""
    texts = [column.name for column in table.columns if isinstance(column.type, String)]
    keys = [column.name for column in table.primary_key] or texts
    if not texts:
        return
    wanted = [table.c[name] for name in dict.fromkeys([*keys, *texts])]
    for row in connection.execute(select(*wanted)).mappings().all():
        values = {name: row[name] for name in texts if row[name] and person.is_mentioned(row[name])}
        if values:
            yield {name: row[name] for name in keys}, values


def _mask(connection: Connection, table: Table, person: Person) -> None:
    for key, values in _rows(connection, table, person):
        where = [table.c[name] == value for name, value in key.items()]
        masked = {name: person.mask(value) for name, value in values.items()}
        connection.execute(update(table).where(*where).values(masked))


def _rebuild(connection: Connection, person: Person, settings: Settings) -> None:
    """Rebuild a SQLite file whose free pages still hold a name; no transaction may be open."""
    path = make_url(settings.tracking_uri).database
    if connection.dialect.name == "sqlite" and path and person.is_in(Path(path).read_bytes()):
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM"))


def _artifact_files(connection: Connection) -> list[Path]:
    """Files below the folders that experiments and runs name, as far as they are on this machine."""
    present = inspect(connection).get_table_names()
    found: set[Path] = set()
    for table, column in _ROOTS:
        if table in present:
            for (uri,) in connection.execute(text(f"SELECT DISTINCT {column} FROM {table}")):  # noqa: S608 - constants
                place = urlsplit(uri or "")
                folder = Path(place.path)
                if place.scheme in {"", "file"} and place.path and folder.is_dir():
                    found |= {path for path in folder.rglob("*") if path.is_file()}
    return sorted(found)


def _count(path: Path, person: Person) -> int:
    data = path.read_bytes()
    return contents.without(path.name, data, person)[1] or int(person.is_in(data))


def _erase_file(path: Path, person: Person) -> None:
    if not _count(path, person):
        return
    kept, _ = contents.without(path.name, path.read_bytes(), person)
    if person.is_in(kept):
        path.unlink()
        return
    unfinished = path.with_name(f"_writing-{path.name}")
    unfinished.write_bytes(kept)
    unfinished.replace(path)
