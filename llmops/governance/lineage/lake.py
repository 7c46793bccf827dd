"""A lake as a graph: every committed artifact, what was made from what, and the few columns that tie rows together.

Only manifests and the columns asked for are read; neither hashes of files nor signatures are checked here.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cached_property

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from llmops import artifacts
from llmops.manifest import Input, Manifest

_TABLES = {"collect", "redact", "clean", "annotate", "split", "tokenize", "materialize", "materialize-customers"}
"""Stages whose rows have an id and parents."""
LEARNS_FROM = {"train", "validation"}
"""Parts of a training set that a model was shaped by: it saw the one, the other chose its settings."""


class Lake:
    """The artifacts in LAKE/FOLDER/NAME, read once."""

    def __init__(self, uri: str) -> None:
        files, root = fsspec.url_to_fs(uri)
        found = files.glob(f"{root.rstrip('/')}/*/*/{artifacts.MANIFEST}")
        names = (path.rsplit("/", 3)[-3:-1] for path in sorted(found))
        read = (artifacts.find(artifacts.join(uri, *name)) for name in names)
        self.uri = uri
        self.artifacts = [manifest for manifest in read if manifest is not None]

    @cached_property
    def by_digest(self) -> dict[str, Manifest]:
        """Artifacts by what they hold, wherever the lake is mounted."""
        return {item.digest: item for item in self.artifacts}

    def of(self, *stages: str) -> list[Manifest]:
        """Artifacts that one of these stages made, by URI."""
        return [item for item in self.artifacts if item.stage in stages]

    def behind(self, manifest: Manifest) -> tuple[list[Manifest], list[Input]]:
        """What an artifact was made from, nearest first, and what of that is gone or has been replaced since.

        A champion that a candidate was only compared with is no part of it.
        """
        waiting, seen = _sources(manifest), set[str]()
        found: list[Manifest] = []
        lost: list[Input] = []
        while waiting:
            item = waiting.pop(0)
            if item.digest in seen:
                continue
            seen.add(item.digest)
            source = self.by_digest.get(item.digest)
            if source is None:
                lost.append(item)
            else:
                found.append(source)
                waiting += _sources(source)
        return found, lost

    def in_order(self) -> list[Manifest]:
        """All artifacts, each after those that it was made from."""
        done: dict[str, Manifest] = {}

        def add(item: Manifest) -> None:
            if item.digest in done:
                return
            for source in _sources(item):
                if source.digest in self.by_digest and source.digest != item.digest:
                    add(self.by_digest[source.digest])
            done[item.digest] = item

        for item in self.artifacts:
            add(item)
        return list(done.values())


def _sources(manifest: Manifest) -> list[Input]:
    return [item for item in manifest.inputs if (manifest.stage, item.stage) != ("evaluate", "publish")]


def has_rows(manifest: Manifest) -> bool:
    """Whether the artifact is a table of rows with parents."""
    return manifest.stage in _TABLES


def columns(manifest: Manifest, names: Sequence[str], *, quarantine: bool = False) -> pa.Table:
    """These columns of an artifact's rows, or of those set aside; nothing else is read. Absent columns are null."""
    files, root = fsspec.url_to_fs(manifest.uri)
    named = manifest.quarantine if quarantine else [file for file in manifest.files if file.name.endswith(".parquet")]
    tables: list[pa.Table] = []
    for file in named:
        with files.open(f"{root}/{file.name}", "rb") as stream:
            parquet = pq.ParquetFile(stream)
            present = [name for name in names if name in parquet.schema_arrow.names]
            table = parquet.read(columns=present)
        for name in names:
            if name not in present:
                table = table.append_column(name, pa.nulls(table.num_rows))
        tables.append(table.select(list(names)))
    empty = pa.table({name: pa.nulls(0) for name in names})
    return pa.concat_tables(tables, promote_options="permissive") if tables else empty


def parents_of(manifest: Manifest, ids: Iterable[str]) -> set[str]:
    """The rows that these rows of an artifact were made from."""
    wanted = set(ids)
    rows = columns(manifest, ["row_id", "parents"])
    pairs = zip(rows["row_id"].to_pylist(), rows["parents"].to_pylist(), strict=True)
    return {parent for row_id, parents in pairs if row_id in wanted for parent in parents or ()}


def day_of(manifest: Manifest) -> date | None:
    """The day of a daily artifact, or of the last day in a snapshot."""
    name = manifest.uri.rstrip("/").rsplit("/", 1)[-1].rsplit("=", 1)[-1]
    try:
        return date.fromisoformat(name)
    except ValueError:
        return manifest.day


def short(uris: Sequence[str], lake: str) -> Iterator[str]:
    """URIs relative to the lake, for a person to read."""
    return (uri.removeprefix(lake.rstrip("/") + "/") for uri in uris)
