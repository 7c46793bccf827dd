"""Artifacts: folders whose manifest, written last, names the files that count.

The only module that commits to the lake. A stage calls `begin`, returns `attempt.committed` if an equal run stands
already, writes files through the attempt, and ends with `attempt.commit(...)`. Until then nothing is visible; a killed
attempt leaves files that no manifest names, which no reader opens.

Not covered: removing superseded files, and two writers racing for one target (the last manifest wins, whole).
"""

import hashlib
import io
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Self

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from fsspec import AbstractFileSystem
from pydantic import BaseModel, ConfigDict

from llmops import digests, schemas
from llmops.config import StageConfig
from llmops.errors import CorruptArtifactError, MissingArtifactError, ParentageError

MANIFEST = "_manifest.json"
_QUARANTINE = "_quarantine"
_recompute: ContextVar[bool] = ContextVar("recompute", default=False)
log = structlog.get_logger()


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class DataFile(_Record):
    """One file that counts."""

    name: str
    """Path relative to the artifact."""
    rows: int | None
    """Rows, for Parquet files."""
    bytes: int
    sha256: str


class Input(_Record):
    """An artifact that a stage read; the chain of these is the lineage."""

    stage: str
    uri: str
    digest: str


class Manifest(_Record):
    """What an artifact is, what it was made from and which files belong to it."""

    stage: str
    stage_version: int
    uri: str
    day: date | None
    config: dict[str, Any]
    inputs: tuple[Input, ...]
    cache_key: str
    """Stage version, config, day and input digests: equal keys mean that a rerun has nothing to do."""
    digest: str
    """Content of the artifact; equal for two runs over equal input on any machine."""
    files: tuple[DataFile, ...]
    quarantine: tuple[DataFile, ...]
    counts: dict[str, int]
    """Rows `kept` and `set_aside`, and what the stage counts besides."""
    metrics: dict[str, float]
    """Measured figures such as losses."""
    seconds: float
    """Wall time of the attempt."""
    created_at: datetime
    signature: str | None = None
    """Ed25519 signature over everything else, in releases (`llmops.publishing.signing`)."""

    def names(self, suffix: str = "") -> list[str]:
        """Names of the data files that end in `suffix`."""
        return [file.name for file in self.files if file.name.endswith(suffix)]


def join(uri: str, *names: str) -> str:
    """A URI below `uri`."""
    return "/".join([uri.rstrip("/"), *(name.strip("/") for name in names)])


def day_of(uri: str) -> date:
    """The day of a daily artifact, from the `ds=YYYY-MM-DD` at the end of its URI."""
    return date.fromisoformat(uri.rstrip("/").rsplit("ds=", 1)[-1])


@contextmanager
def recomputing(wanted: bool = True) -> Iterator[None]:
    """Within this context stages do their work even when an equal artifact stands already (`--force`)."""
    token = _recompute.set(wanted)
    try:
        yield
    finally:
        _recompute.reset(token)


# Reading ------------------------------------------------------------------------------------------------------------


def find(uri: str) -> Manifest | None:
    """The manifest of an artifact, or None where nothing is committed."""
    files, path = fsspec.url_to_fs(join(uri, MANIFEST))
    try:
        text = files.cat_file(path)
    except FileNotFoundError:
        return None
    try:
        return Manifest.model_validate_json(text).model_copy(update={"uri": uri})
    except ValueError as error:
        raise CorruptArtifactError(f"{uri}: {MANIFEST} is damaged; run the stage again with --force") from error


def read(uri: str, stage: str) -> Manifest:
    """The manifest of an artifact that `stage` made.

    Raises MissingArtifactError when nothing is committed there, CorruptArtifactError when another stage made it.
    """
    manifest = find(uri)
    if manifest is None:
        raise MissingArtifactError(f"{uri}: no manifest; run `llmops {stage}` first")
    if manifest.stage != stage:
        raise CorruptArtifactError(
            f"{uri}: made by `{manifest.stage}`, where the output of `llmops {stage}` is expected"
        )
    return manifest


def read_table(manifest: Manifest, columns: Sequence[str] | None = None, *, quarantine: bool = False) -> pa.Table:
    """All rows of the Parquet files that the manifest names (or those set aside), checked for size."""
    named = manifest.quarantine if quarantine else [file for file in manifest.files if file.name.endswith(".parquet")]
    tables = [pq.read_table(io.BytesIO(read_file(manifest, file.name)), columns=columns) for file in named]
    if not tables:
        empty = schemas.QUARANTINE if quarantine else pa.schema([])
        return empty.empty_table()
    return pa.concat_tables(tables)


def read_file(manifest: Manifest, name: str) -> bytes:
    """The bytes of a named file, checked against the manifest's hash."""
    (entry,) = [file for file in (*manifest.files, *manifest.quarantine) if file.name == name]
    files, path = fsspec.url_to_fs(join(manifest.uri, name))
    try:
        data: bytes = files.cat_file(path)
    except FileNotFoundError as error:
        raise _gone(manifest, name) from error
    if digests.of_bytes(data) != entry.sha256:
        raise _changed(manifest, name)
    return data


def ancestors(manifest: Manifest) -> Iterator[Manifest]:
    """Every artifact that this one was made from, nearest first, each once.

    Raises MissingArtifactError when one is gone or has been replaced by other content since.
    """
    waiting, seen = list(manifest.inputs), set[str]()
    while waiting:
        item = waiting.pop(0)
        if item.digest in seen:
            continue
        seen.add(item.digest)
        found = find(item.uri)
        if found is None or found.digest != item.digest:
            raise MissingArtifactError(
                f"{item.uri}: gone or replaced since {manifest.uri} was made; redo what follows `{item.stage}`"
            )
        yield found
        waiting.extend(found.inputs)


def local_folder(manifest: Manifest) -> Path:
    """A local folder that holds the data files under their names, each checked against its hash.

    For libraries that open files themselves, such as transformers. Remote artifacts are copied to a temporary folder.
    """
    files, root = fsspec.url_to_fs(manifest.uri)
    if _is_local(files):
        folder = Path(root)
    else:
        folder = Path(tempfile.mkdtemp(prefix="llmops-"))
        for file in manifest.files:
            (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
            files.get_file(f"{root}/{file.name}", str(folder / file.name))
    for file in manifest.files:
        path = folder / file.name
        if not path.is_file():
            raise _gone(manifest, file.name)
        if _sha256(path) != file.sha256:
            raise _changed(manifest, file.name)
    return folder / manifest.files[0].name.split("/", 1)[0]


def _gone(manifest: Manifest, name: str) -> MissingArtifactError:
    return MissingArtifactError(f"{manifest.uri}: {name} is gone; run `llmops {manifest.stage}` again with --force")


def _changed(manifest: Manifest, name: str) -> CorruptArtifactError:
    return CorruptArtifactError(
        f"{manifest.uri}: {name} differs from its manifest; restore it or run `llmops {manifest.stage}` with --force"
    )


# Writing ------------------------------------------------------------------------------------------------------------


def begin(
    target: str,
    *,
    stage: str,
    version: int,
    config: StageConfig,
    inputs: Sequence[Manifest] = (),
    day: date | None = None,
    depends_on: Mapping[str, str] | None = None,
) -> "Attempt":
    """Start a stage's work on `target`; `committed` is set when an equal run stands there already.

    `depends_on` holds the hashes of what the work depends on outside the lake, such as a model folder.
    """
    return Attempt(target, stage, version, config, tuple(inputs), day, depends_on or {})


class Attempt:
    """One try at an artifact: files under a name of its own, then one atomic manifest."""

    def __init__(
        self,
        target: str,
        stage: str,
        version: int,
        config: StageConfig,
        inputs: tuple[Manifest, ...],
        day: date | None,
        depends_on: Mapping[str, str],
    ) -> None:
        self.target, self.stage, self.day = target, stage, day
        self._version = version
        self._config = config.model_dump(mode="json")
        self._inputs = tuple(Input(stage=item.stage, uri=item.uri, digest=item.digest) for item in inputs)
        self._identity = {
            "stage": stage,
            "version": version,
            "config": self._config,
            "day": day,
            "inputs": [item.digest for item in inputs],
            "depends_on": dict(depends_on),
        }
        self._name = f"attempt-{uuid.uuid4().hex[:12]}"
        self._started = monotonic()
        self.files, self._root = fsspec.url_to_fs(target)
        self.committed = self._find_equal()

    @property
    def cache_key(self) -> str:
        """Equal for runs that have the same work to do."""
        return digests.of_json(self._identity)

    @property
    def data_uri(self) -> str:
        """Folder for files that count, once the manifest names them."""
        return join(self.target, self._name)

    @property
    def quarantine_uri(self) -> str:
        """Folder for rows set aside, beside the output."""
        return join(self.target, _QUARANTINE, self._name)

    def local_folder(self) -> Path:
        """The data folder on local disk, for libraries that write files themselves; uploaded at commit if remote."""
        if not hasattr(self, "_scratch"):
            self._scratch = (
                Path(self._root) / self._name if _is_local(self.files) else Path(tempfile.mkdtemp(prefix="llmops-"))
            )
            self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch

    def write_table(self, table: pa.Table, schema: pa.Schema, name: str = "part-00000.parquet") -> Self:
        """Write rows as one Parquet file in the given schema."""
        self._write_parquet(join(self.data_uri, name), table.select(schema.names).cast(schema))
        return self

    def write_bytes(self, name: str, data: bytes) -> Self:
        """Write a file that is not a table, such as a report."""
        put(self.files, f"{self._root}/{self._name}/{name}", data)
        return self

    def set_aside(self, rows: Sequence[dict[str, Any]]) -> Self:
        """Write rejected rows: `row_id`, `rule`, `reason`, `uri` and, if known, `merged_into` and `record`."""
        if rows:
            complete = [{"merged_into": None, "record": None, **row, "stage": self.stage} for row in rows]
            table = pa.Table.from_pylist(complete, schema=schemas.QUARANTINE)
            self._write_parquet(join(self.quarantine_uri, "part-00000.parquet"), table)
        return self

    def commit(
        self,
        *,
        input_ids: Sequence[str] | None = None,
        counts: dict[str, int] | None = None,
        metrics: dict[str, float] | None = None,
        by_content: bool = False,
        sign: Callable[[Manifest], str] | None = None,
    ) -> Manifest:
        """Check parentage, hash what was written and make it visible with one manifest.

        `input_ids` are the row ids that the stage read; with them every row must be accounted for, or ParentageError.
        `by_content` makes the digest one of the files alone, whatever configuration and inputs they came from.
        `sign` computes the manifest's signature.
        """
        if hasattr(self, "_scratch") and not _is_local(self.files):
            self.files.put(f"{self._scratch}/", f"{self._root}/{self._name}/", recursive=True)
        files = self._hash_files(self._name)
        quarantine = self._hash_files(f"{_QUARANTINE}/{self._name}")
        rows = [self._open(file) for file in files if file.rows is not None]
        rejected = [self._open(file) for file in quarantine]
        if input_ids is not None:
            _check_parentage(self.target, set(input_ids), rows, rejected)
        identity: dict[str, Any] = {"stage": self.stage, "version": self._version} if by_content else self._identity
        manifest = Manifest(
            stage=self.stage,
            stage_version=self._version,
            uri=self.target,
            day=self.day,
            config=self._config,
            inputs=self._inputs,
            cache_key=self.cache_key,
            digest=digests.of_json(
                {
                    **identity,
                    "schema": [digests.of_schema(table.schema) for table in rows[:1]],
                    "rows": digests.of_rows(batch for table in rows for batch in table.to_batches()),
                    "rejected": digests.of_rows(batch for table in rejected for batch in table.to_batches()),
                    "files": sorted([_below(file.name), file.sha256] for file in files if file.rows is None),
                }
            ),
            files=files,
            quarantine=quarantine,
            counts=_counts(files, rejected) | (counts or {}),
            metrics=metrics or {},
            seconds=round(monotonic() - self._started, 3),
            created_at=datetime.now(UTC),
        )
        if sign is not None:
            manifest = manifest.model_copy(update={"signature": sign(manifest)})
        put(self.files, f"{self._root}/{MANIFEST}", manifest.model_dump_json(indent=2).encode())
        log.info("artifact.committed", stage=self.stage, uri=self.target, seconds=manifest.seconds, **manifest.counts)
        return manifest

    def _find_equal(self) -> Manifest | None:
        found = None if _recompute.get() else find(self.target)
        if found is None or found.cache_key != self.cache_key:
            return None
        log.info("artifact.reused", stage=self.stage, uri=self.target, **found.counts)
        return found

    def _write_parquet(self, uri: str, table: pa.Table) -> None:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        files, path = fsspec.url_to_fs(uri)
        put(files, path, buffer.getvalue())

    def _hash_files(self, folder: str) -> tuple[DataFile, ...]:
        paths = self.files.find(f"{self._root}/{folder}")
        root = self.files._strip_protocol(self._root)
        kept = (path for path in sorted(paths) if not Path(path).name.startswith(("_", ".")))
        return tuple(self._describe(path, path.removeprefix(root).lstrip("/")) for path in kept)

    def _describe(self, path: str, name: str) -> DataFile:
        with self.files.open(path, "rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            rows = pq.read_metadata(stream).num_rows if name.endswith(".parquet") else None
        return DataFile(name=name, rows=rows, bytes=self.files.size(path), sha256=sha256)

    def _open(self, file: DataFile) -> pa.Table:
        with self.files.open(f"{self._root}/{file.name}", "rb") as stream:
            return pq.read_table(stream)


def _check_parentage(target: str, known: set[str], rows: list[pa.Table], rejected: list[pa.Table]) -> None:
    parents = {parent for table in rows for ids in table["parents"].to_pylist() for parent in ids}
    made = {row_id for table in rows for row_id in table["row_id"].to_pylist()}
    orphans = sum(1 for table in rows for ids in table["parents"].to_pylist() if not ids)
    aside = {row_id for table in rejected for row_id in table["row_id"].to_pylist()}
    keepers = {keeper for table in rejected for keeper in table["merged_into"].to_pylist() if keeper}
    problems = {
        "input rows unaccounted for": len(known - parents - aside),
        "parents that are not in the input": len(parents - known),
        "rows set aside that are not in the input": len(aside - known),
        "rows without a parent": orphans,
        "duplicate row ids": sum(table.num_rows for table in rows) - len(made),
        "keepers that are not in the output": len(keepers - made),
    }
    found = ", ".join(f"{count} {what}" for what, count in problems.items() if count)
    if found:
        raise ParentageError(f"{target}: not committed: {found}; this is a fault of the stage, please report it")


def _counts(files: tuple[DataFile, ...], rejected: list[pa.Table]) -> dict[str, int]:
    counts = {"kept": sum(file.rows or 0 for file in files), "set_aside": sum(table.num_rows for table in rejected)}
    for table in rejected:
        for rule in table["rule"].to_pylist():
            counts[rule] = counts.get(rule, 0) + 1
    return counts


def _below(name: str) -> str:
    """A file's name without the attempt's own folder, which is random."""
    return name.split("/", 1)[1]


def _is_local(files: AbstractFileSystem) -> bool:
    return "file" in ([files.protocol] if isinstance(files.protocol, str) else files.protocol)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def put(files: AbstractFileSystem, path: str, data: bytes) -> None:
    """Write a whole file or nothing: rename into place on disk, a single PUT on object stores."""
    if not _is_local(files):
        files.pipe_file(path, data)
        return
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=final.parent, prefix="_writing-", delete=False) as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    Path(stream.name).replace(final)
