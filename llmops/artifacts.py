"""Artifacts: folders whose manifest, written last, names the files that count.

The only module that commits to the lake. A stage calls `begin`, returns `attempt.committed` if an equal run stands
already, writes files through the attempt, and ends with `attempt.commit(...)`. Until then nothing is visible; a killed
attempt leaves files that no manifest names, which no reader opens.

What an erasure takes out later keeps the digest and leaves a tombstone (`llmops.rewriting`): readers that meet it half
way go on with the new files, and what is made of an artifact while it happens is not committed.

Not covered: removing superseded files, and two writers racing for one target (the last manifest wins, whole).
"""

import hashlib
import io
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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

from llmops import digests, parentage, schemas, storage
from llmops.config import StageConfig
from llmops.errors import CorruptArtifactError, ErasedMeanwhileError, MissingArtifactError
from llmops.manifest import DataFile, Input, Manifest

MANIFEST = "_manifest.json"
_QUARANTINE = "_quarantine"
_FROZEN = "collect"
"""The stage whose output stays as it is until someone asks for a new one on purpose."""
_recompute: ContextVar[bool] = ContextVar("recompute", default=False)
log = structlog.get_logger()


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
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return Manifest.model_validate_json(text).model_copy(update={"uri": uri})
    except ValueError as error:
        raise CorruptArtifactError(
            f"{uri}: {MANIFEST} is damaged; run its stage again with --force (`llmops {_FROZEN}`: with --recollect)"
        ) from error


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
    try:
        tables = [pq.read_table(io.BytesIO(_read_now(manifest, file.name)), columns=columns) for file in named]
    except MissingArtifactError as error:
        return read_table(_rewritten(manifest, error), columns, quarantine=quarantine)
    if not tables:
        empty = schemas.QUARANTINE if quarantine else pa.schema([])
        return empty.empty_table()
    return pa.concat_tables(tables)


def read_file(manifest: Manifest, name: str) -> bytes:
    """The bytes of a named file, checked against the manifest's hash."""
    try:
        return _read_now(manifest, name)
    except MissingArtifactError as error:
        place = [file.name for file in (*manifest.files, *manifest.quarantine)].index(name)
        fresh = _rewritten(manifest, error)
        return read_file(fresh, [file.name for file in (*fresh.files, *fresh.quarantine)][place])


def _read_now(manifest: Manifest, name: str) -> bytes:
    (entry,) = [file for file in (*manifest.files, *manifest.quarantine) if file.name == name]
    files, path = fsspec.url_to_fs(join(manifest.uri, name))
    try:
        data: bytes = files.cat_file(path)
    except FileNotFoundError as error:
        raise _gone(manifest, name) from error
    if digests.of_bytes(data) != entry.sha256:
        raise _changed(manifest, name)
    return data


def _rewritten(manifest: Manifest, gone: MissingArtifactError) -> Manifest:
    """The artifact after an erasure that came between; raises `gone`, a file's loss, when there was none."""
    found = find(manifest.uri)
    if found is None or found.digest != manifest.digest or found.erasures == manifest.erasures:
        raise gone
    return found


def read_named(manifest: Manifest, name: str) -> bytes:
    """A data file by its name without the attempt's folder, checked against its hash.

    Raises CorruptArtifactError when the manifest names no such file.
    """
    found = named_files(manifest).get(name)
    if found is None:
        raise CorruptArtifactError(f"{manifest.uri}: holds no {name}; {_redo(manifest.stage)}")
    return read_file(manifest, found)


def named_files(manifest: Manifest) -> dict[str, str]:
    """Full names of the data files by their names without the attempt's folder, which is random."""
    return {_below(name): name for name in sorted(manifest.names())}


def ancestors(manifest: Manifest, without: Collection[str] = ()) -> Iterator[Manifest]:
    """Every artifact that this one was made from, nearest first, each once; not through inputs of stages `without`.

    Raises MissingArtifactError when one is gone or has been replaced by other content since.
    """
    waiting, seen = list(manifest.inputs), set[str]()
    while waiting:
        item = waiting.pop(0)
        if item.digest in seen or item.stage in without:
            continue
        seen.add(item.digest)
        found = find(item.uri)
        if found is None or found.digest != item.digest:
            raise MissingArtifactError(
                f"{item.uri}: gone or replaced since {manifest.uri} was made; redo what follows `{item.stage}`"
            )
        yield found
        waiting.extend(found.inputs)


def local_folder(manifest: Manifest, *, is_hashed: bool = True) -> Path:
    """A local folder that holds the data files under their names, each checked against its hash.

    For libraries that open files themselves, such as transformers. Remote artifacts are copied to a temporary folder.
    Without `is_hashed` whoever reads the files checks them.
    """
    try:
        return _local_folder(manifest, is_hashed=is_hashed)
    except MissingArtifactError as error:
        return local_folder(_rewritten(manifest, error), is_hashed=is_hashed)


def _local_folder(manifest: Manifest, *, is_hashed: bool) -> Path:
    files, root = fsspec.url_to_fs(manifest.uri)
    if storage.is_local(files):
        folder = Path(root)
    else:
        folder = Path(tempfile.mkdtemp(prefix="llmops-"))
        for file in manifest.files:
            (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
            try:
                files.get_file(f"{root}/{file.name}", str(folder / file.name))
            except FileNotFoundError as error:
                raise _gone(manifest, file.name) from error
    for file in manifest.files:
        path = folder / file.name
        if not path.is_file():
            raise _gone(manifest, file.name)
        if is_hashed and digests.of_file(path) != file.sha256:
            raise _changed(manifest, file.name)
    return folder / manifest.files[0].name.split("/", 1)[0]


def _gone(manifest: Manifest, name: str) -> MissingArtifactError:
    return MissingArtifactError(f"{manifest.uri}: {name} is gone; {_redo(manifest.stage)}")


def _changed(manifest: Manifest, name: str) -> CorruptArtifactError:
    return CorruptArtifactError(
        f"{manifest.uri}: {name} differs from its manifest; restore it or {_redo(manifest.stage)}"
    )


def _redo(stage: str) -> str:
    """The remedy when an artifact of `stage` is not whole."""
    return f"run `llmops {stage}` again with {'--recollect' if stage == _FROZEN else '--force'}"


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
    places: Collection[str] = (),
) -> "Attempt":
    """Start a stage's work on `target`; `committed` is set when an equal run stands there already, whole.

    `depends_on` holds the hashes of what the work depends on outside the lake, such as a model folder; `places` names
    the fields of `config` that say where that is, or where the result goes: they are recorded, but do not count.

    Raises CorruptArtifactError when the manifest at `target` is damaged, MissingArtifactError when raw data has lost a
    file; neither when recomputing.
    """
    return Attempt(target, stage, version, config, tuple(inputs), day, depends_on or {}, places)


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
        places: Collection[str],
    ) -> None:
        self.target, self.stage, self.day = target, stage, day
        self._version = version
        self._config = config.model_dump(mode="json")
        self._read = inputs
        self._inputs = tuple(
            Input(stage=item.stage, uri=item.uri, digest=item.digest, erasures=item.losses) for item in inputs
        )
        self._identity = {
            "stage": stage,
            "version": version,
            "config": {name: value for name, value in self._config.items() if name not in places},
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
                Path(self._root) / self._name
                if storage.is_local(self.files)
                else Path(tempfile.mkdtemp(prefix="llmops-"))
            )
            self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch

    def write_table(self, table: pa.Table, schema: pa.Schema, name: str = "part-00000.parquet") -> Self:
        """Write rows as one Parquet file in the given schema."""
        self._write_parquet(join(self.data_uri, name), table.select(schema.names).cast(schema))
        return self

    def write_bytes(self, name: str, data: bytes) -> Self:
        """Write a file that is not a table, such as a report."""
        storage.put(self.files, f"{self._root}/{self._name}/{name}", data)
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
        seals: dict[str, str] | None = None,
        suppressed_until: int = 0,
        sign: Callable[[Manifest], str] | None = None,
    ) -> Manifest:
        """Check parentage, hash what was written and make it visible with one manifest.

        `input_ids` are the row ids that the stage read; with them every row must be accounted for, or ParentageError.
        `by_content` makes the digest one of the files alone, whatever configuration and inputs they came from.
        `seals` are recorded as they are; `suppressed_until` is the number of the last erased person whom the stage left
        out. `sign` computes the manifest's signature. Raises ErasedMeanwhileError when an input lost rows since it was
        read.
        """
        self._refuse_erased_inputs()
        if hasattr(self, "_scratch") and not storage.is_local(self.files):
            self.files.put(f"{self._scratch}/", f"{self._root}/{self._name}/", recursive=True)
        files = self._hash_files(self._name)
        quarantine = self._hash_files(f"{_QUARANTINE}/{self._name}")
        rows = [self._open(file) for file in files if file.rows is not None]
        rejected = [self._open(file) for file in quarantine]
        if input_ids is not None:
            parentage.check(self.target, input_ids, rows, rejected)
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
            counts=parentage.count(rows, rejected) | (counts or {}),
            metrics=metrics or {},
            seconds=round(monotonic() - self._started, 3),
            created_at=datetime.now(UTC),
            seals=seals,
            suppressed_until=suppressed_until,
        )
        if sign is not None:
            manifest = manifest.model_copy(update={"signature": sign(manifest)})
        storage.put(self.files, f"{self._root}/{MANIFEST}", manifest.model_dump_json(indent=2).encode())
        log.info("artifact.committed", uri=self.target, seconds=manifest.seconds, **manifest.counts)
        return manifest

    def _find_equal(self) -> Manifest | None:
        found = None if _recompute.get() else find(self.target)
        if found is None or found.cache_key != self.cache_key or self._has_lost_rows_since(found):
            return None
        named = (file.name for file in (*found.files, *found.quarantine))
        lost = [name for name in named if not self.files.exists(f"{self._root}/{name}")]
        if lost and self.stage == _FROZEN:
            raise _gone(found, lost[0])
        if lost:
            log.warning("artifact.found_incomplete", uri=self.target, files_lost=len(lost))
            return None
        log.info("artifact.reused", uri=self.target, **found.counts)
        return found

    def _has_lost_rows_since(self, found: Manifest) -> bool:
        """Whether rows were erased from an input that `found` was made with and has not been cleared of."""
        cleared = {tombstone.sequence for tombstone in found.erasures}
        known = {item.digest: set(item.erasures) for item in found.inputs}
        return any(set(item.erasures) - cleared - known.get(item.digest, set()) for item in self._inputs)

    def _refuse_erased_inputs(self) -> None:
        for item in self._read:
            now = find(item.uri)
            if now is not None and now.digest == item.digest and now.erasures != item.erasures:
                raise ErasedMeanwhileError(
                    f"{self.target}: not committed: {item.uri} lost rows to an erasure meanwhile; run it again"
                )

    def _write_parquet(self, uri: str, table: pa.Table) -> None:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        files, path = fsspec.url_to_fs(uri)
        storage.put(files, path, buffer.getvalue())

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


def _below(name: str) -> str:
    """A file's name without the attempt's own folder, which is random."""
    return name.split("/", 1)[1]
