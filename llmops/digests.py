"""Digests that depend on content alone: not on row order, file layout, time or machine."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from llmops import schemas

_MODULUS = 1 << 256


def of_bytes(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def of_json(value: object) -> str:
    """SHA-256 of the canonical JSON text of `value`."""
    return of_bytes(canonical_json(value))


def of_manifest(manifest: BaseModel) -> str:
    """SHA-256 of all that a manifest says, but for `uri`, which says where the lake is mounted right now."""
    return of_json(manifest.model_dump(mode="json", exclude={"uri"}))


def short_id(*parts: str) -> str:
    """A 128-bit identifier (32 hexadecimal digits) made from the parts, for row ids."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def canonical_json(value: object) -> bytes:
    """UTF-8 JSON with sorted keys and no white space; times in ISO 8601."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return text.encode("utf-8", "surrogatepass")


def of_rows(batches: Iterable[pa.RecordBatch]) -> str:
    """Order-independent digest of a multiset of rows: SHA-256 of each canonical row, summed modulo 2^256.

    Volatile columns are left out, columns are named, so their order does not matter either. Adding hashes keeps
    multiplicity, which XOR would lose (Bellare and Micciancio, "A New Paradigm for Collision-Free Hashing", 1997).
    """
    total, count = 0, 0
    for batch in batches:
        lasting = batch.select([field.name for field in batch.schema if not schemas.is_volatile(field)])
        for row in lasting.to_pylist():
            total += int.from_bytes(hashlib.sha256(canonical_json(row)).digest())
            count += 1
    return of_json([count, f"{total % _MODULUS:064x}"])


def of_schema(schema: pa.Schema) -> list[list[str]]:
    """The lasting columns as sorted name and type pairs, for use inside a digest."""
    return sorted([field.name, str(field.type)] for field in schema if not schemas.is_volatile(field))


def _plain(value: object) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")
