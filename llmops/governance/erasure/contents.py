"""What is left of a file without a person: rows of tables, entries of JSON, names in any other text."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llmops import digests, rewriting
from llmops.governance.erasure.person import Person

_TEXTS = (".json", ".jsonl", ".md", ".txt", ".html", ".csv", ".xml", ".yaml", ".yml", ".jinja", ".log")


def rows_of(data: bytes) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file; none if it is torn. A column that is not JSON-like is left as pyarrow gives it."""
    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowInvalid, OSError):
        return
    for batch in table.to_batches():
        yield from batch.to_pylist()


def is_readable(data: bytes) -> bool:
    """Whether a Parquet file is whole."""
    try:
        pq.read_metadata(io.BytesIO(data))
    except (pa.ArrowInvalid, OSError):
        return False
    return True


def without(name: str, data: bytes, person: Person) -> tuple[bytes, int]:
    """The file's bytes without the person, and how many rows, entries or names went; the very bytes for none.

    Weights and other binary files are never touched.
    """
    if name.endswith(".parquet"):
        return _without_rows(data, person)
    if not name.endswith(_TEXTS):
        return data, 0
    if name.endswith(".json"):
        return _without_entries(data, person)
    if not person.is_in(data):
        return data, 0
    if name.endswith(".jsonl"):
        lines = data.splitlines(keepends=True)
        kept = [line for line in lines if not person.is_in(line)]
        return b"".join(kept), len(lines) - len(kept)
    return person.mask(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"), 1


def _without_rows(data: bytes, person: Person) -> tuple[bytes, int]:
    kept, removed = rewriting.without_rows(data, person.concerns)
    return _without_keepers(kept, person), removed


def _without_keepers(data: bytes, person: Person) -> bytes:
    """Of others' rows that were merged into one of the person's, that one's id is taken away."""
    table = pq.read_table(io.BytesIO(data))
    if "merged_into" not in table.column_names:
        return data
    keepers = table["merged_into"].to_pylist()
    if person.row_ids.isdisjoint(keepers):
        return data
    place = table.column_names.index("merged_into")
    cleared = pa.array([None if keeper in person.row_ids else keeper for keeper in keepers], pa.string())
    return rewriting.to_parquet(table.set_column(place, table.schema.field(place), cleared))


def _without_entries(data: bytes, person: Person) -> tuple[bytes, int]:
    try:
        content = json.loads(data)
    except ValueError:
        return data, 0
    kept, removed = _prune(content, person.concerns, person.mask)
    return (digests.canonical_json(kept), removed) if removed else (data, 0)


def _prune(value: Any, is_to_go: Callable[[dict[str, Any]], bool], mask: Callable[[str], str]) -> tuple[Any, int]:
    """The value without list entries that concern the person, and with names masked wherever else they stand."""
    if isinstance(value, str):
        masked = mask(value)
        return masked, int(masked != value)
    if isinstance(value, list):
        kept = [item for item in value if not (isinstance(item, dict) and is_to_go(item))]
        parts = [_prune(item, is_to_go, mask) for item in kept]
        return [part for part, _ in parts], len(value) - len(kept) + sum(count for _, count in parts)
    if isinstance(value, dict):
        pairs = {name: _prune(item, is_to_go, mask) for name, item in value.items()}
        return {name: part for name, (part, _) in pairs.items()}, sum(count for _, count in pairs.values())
    return value, 0
