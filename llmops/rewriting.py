"""Takes content out of a committed artifact and leaves a tombstone: what an erasure does to the lake.

The new files and the new manifest stand before the old files go, so that a reader finds the old artifact or the new
one, and a run that was killed leaves one of them whole. Digest and cache key stay as they were: they tell what the
artifact was made of and as, and those who were made of it go on naming it; the tombstone tells what it lost since.
"""

import io
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from llmops import artifacts, digests, parentage, storage
from llmops.manifest import DataFile, Manifest, Tombstone

_QUARANTINE = "_quarantine"


def rewrite(
    manifest: Manifest, changed: Mapping[str, bytes], *, sequence: int, rows: int, sign: Callable[[Manifest], str]
) -> Manifest:
    """Commit the artifact with other bytes for the named files, and delete the old ones at once.

    `changed` holds new bytes by the files' present names; `rows` is what they lost, with no file and no rows only the
    tombstone is set. A second rewriting of the same `sequence` adds its rows to the first one's.
    """
    files, root = fsspec.url_to_fs(manifest.uri)
    moved = _to_move(manifest, changed)
    attempt = f"attempt-{uuid.uuid4().hex[:12]}"
    kept, aside = (
        tuple(_move(files, root, file, attempt, changed) if file.name in moved else file for file in group)
        for group in (manifest.files, manifest.quarantine)
    )
    fresh = manifest.model_copy(
        update={
            "files": kept,
            "quarantine": aside,
            "counts": _counts(manifest, files, root, kept, aside) if changed else manifest.counts,
            "erasures": _with_tombstone(manifest.erasures, Tombstone(sequence=sequence, rows=rows)),
        }
    )
    fresh = fresh.model_copy(update={"signature": sign(fresh)})
    storage.put(files, f"{root}/{artifacts.MANIFEST}", fresh.model_dump_json(indent=2).encode())
    for name in sorted(moved):
        _delete(files, root, name)
    return fresh


def without_rows(data: bytes, is_to_go: Callable[[dict[str, Any]], bool]) -> tuple[bytes, int]:
    """A Parquet file without some rows, in the same schema, and how many went; the very bytes if none did."""
    table = pq.read_table(io.BytesIO(data))
    stays = [not is_to_go(row) for row in table.to_pylist()]
    if all(stays):
        return data, 0
    return to_parquet(table.filter(pa.array(stays, pa.bool_()))), stays.count(False)


def to_parquet(table: pa.Table) -> bytes:
    """The table as a file, compressed as all of the lake."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _to_move(manifest: Manifest, changed: Mapping[str, bytes]) -> set[str]:
    """Files that get a new place: those that change, and of a model or report all, which readers open as one folder."""
    names = set(manifest.names())
    is_one_folder = any(name in names and not name.endswith(".parquet") for name in changed)
    return set(changed) | (names if is_one_folder else set())


def _move(files: Any, root: str, file: DataFile, attempt: str, changed: Mapping[str, bytes]) -> DataFile:
    data = changed[file.name] if file.name in changed else files.cat_file(f"{root}/{file.name}")
    name = _place(file.name, attempt)
    storage.put(files, f"{root}/{name}", data)
    rows = None if file.rows is None else pq.read_metadata(io.BytesIO(data)).num_rows
    return DataFile(name=name, rows=rows, bytes=len(data), sha256=digests.of_bytes(data))


def _place(name: str, attempt: str) -> str:
    """A file's name with another attempt's folder in it."""
    parts = name.split("/")
    parts[1 if parts[0] == _QUARANTINE else 0] = attempt
    return "/".join(parts)


def _counts(
    manifest: Manifest, files: Any, root: str, kept: tuple[DataFile, ...], aside: tuple[DataFile, ...]
) -> dict[str, int]:
    """Rows kept and set aside as they are now; what the stage counted besides tells of the day it was made."""

    def tables(group: tuple[DataFile, ...]) -> list[pa.Table]:
        named = [file.name for file in group if file.rows is not None]
        return [pq.read_table(io.BytesIO(files.cat_file(f"{root}/{name}"))) for name in named]

    if not tables(kept) and not aside:
        return manifest.counts
    before = parentage.count([], tables(manifest.quarantine))
    other = {name: count for name, count in manifest.counts.items() if name not in before}
    return parentage.count(tables(kept), tables(aside)) | other


def _with_tombstone(present: tuple[Tombstone, ...], new: Tombstone) -> tuple[Tombstone, ...]:
    """The tombstones in order of their numbers, one for each."""
    rows = {item.sequence: item.rows for item in present}
    rows[new.sequence] = rows.get(new.sequence, 0) + new.rows
    return tuple(Tombstone(sequence=sequence, rows=count) for sequence, count in sorted(rows.items()))


def _delete(files: Any, root: str, name: str) -> None:
    """Remove a file and, on a disk, Spark's checksum beside it and the folders that held nothing else."""
    files.rm_file(f"{root}/{name}")
    if not storage.is_local(files):
        return
    path = Path(root, name)
    path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
    for folder in path.parents:
        if folder == Path(root) or any(folder.iterdir()):
            return
        folder.rmdir()
