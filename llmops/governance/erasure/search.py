"""The search of every file of every store after an erasure: raw bytes, and what compression hides from them."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from llmops import suppression
from llmops.governance.erasure.lake_files import Lake, named_in
from llmops.governance.erasure.person import Person
from llmops.governance.erasure.places import Found, Places
from llmops.governance.erasure.stores import logs, mlflow


class Searched(NamedTuple):
    """What a search read and found."""

    files: int
    bytes: int
    found: list[Found]


def search(person: Person, places: Places) -> Searched:
    """Look for names and row ids in all files of lake, feature store, spool and logs, base models' own files aside, and
    for names in those of MLflow.

    Compressed pages of Parquet hide text from a search of bytes: their values are searched by the stores, the bounds
    that stand beside them here.
    """
    count = size = 0
    found = []
    for name, data in _files(places):
        count, size = count + 1, size + len(data)
        has_id = not name.startswith("mlflow/") and person.has_id_in(data)
        if has_id or person.is_in(data) or (name.endswith(".parquet") and _is_in_bounds(data, person)):
            found.append(Found(name, 1))
    return Searched(count, size, found)


def _files(places: Places) -> Iterator[tuple[str, bytes]]:
    lake = Lake(places.settings.lake)
    public = {
        f"{lake.below(manifest.uri)}/{file.name}"
        for manifest in lake.artifacts
        for file in named_in(manifest)
        if file.sha256 in lake.public_files
    }
    for name in lake.names:
        if name not in public:
            yield name, lake.read(name)
    files, root = lake.files, f"{lake.root}/{suppression.FOLDER}"
    for path in files.find(root) if files.exists(root) else []:
        yield f"{suppression.FOLDER}/{path.rsplit('/', 1)[-1]}", files.cat_file(path)
    yield from _local("spool", sorted(path for path in places.spool.rglob("*") if path.is_file()))
    yield from _local("logs", logs.files(places))
    yield from _local("mlflow", mlflow.files(places.settings))


def _local(store: str, paths: Iterator[Path] | list[Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        yield f"{store}/{path.name}", path.read_bytes()


def _is_in_bounds(data: bytes, person: Person) -> bool:
    """Whether a name is the least or greatest value of a column, as the file's footer tells."""
    try:
        metadata = pq.read_metadata(io.BytesIO(data))
    except (pa.ArrowInvalid, OSError):
        return False
    columns = (
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    )
    bounds = (column.statistics for column in columns if column.is_stats_set and column.statistics.has_min_max)
    return any(
        isinstance(value, str) and person.is_mentioned(value) for item in bounds for value in (item.min, item.max)
    )
