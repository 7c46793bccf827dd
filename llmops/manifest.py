"""What `_manifest.json` says: the record that makes a folder an artifact."""

from datetime import date, datetime
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from llmops.records import Record

_WRITTEN_IF_SET = ("erasures", "suppressed_until")


class _Record(Record):
    @model_serializer(mode="wrap")
    def _leave_out_what_never_happened(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the fields about erasures where there was none: older manifests have the text they were signed as."""
        fields: dict[str, Any] = serialise(self)
        return {name: value for name, value in fields.items() if value or name not in _WRITTEN_IF_SET}


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
    erasures: tuple[int, ...] = ()
    """Erasures that had taken rows out of it when it was read."""


class Tombstone(_Record):
    """What an erasure did to an artifact after it was made."""

    sequence: int
    """Number of the erasure (`llmops.suppression`)."""
    rows: int
    """Rows, or parts of reports, that it took out; 0: they were taken out of an input, and none had come this far."""


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
    """Content of the artifact as it was made; equal for two runs over equal input. Later erasures do not change it.

    On any machine where the content is rows or text; where floating-point sums decide it (adapters, evaluations, what
    follows them) on one machine with one number of threads.
    """
    files: tuple[DataFile, ...]
    quarantine: tuple[DataFile, ...]
    counts: dict[str, int]
    """Rows `kept` and `set_aside`, and what the stage counts besides."""
    metrics: dict[str, float]
    """Measured figures such as losses."""
    seconds: float
    """Wall time of the attempt."""
    created_at: datetime
    seals: dict[str, str] | None = None
    """In decisions: the hash of every manifest that it rests on, by that artifact's digest. Outside the own digest, as
    manifests tell times; inside the signature."""
    signature: str | None = None
    """Ed25519 signature over everything else, in releases, decisions, approvals and after erasures
    (`llmops.signing`)."""
    erasures: tuple[Tombstone, ...] = ()
    """What was erased since the artifact was made, by number."""
    suppressed_until: int = 0
    """Number of the last erased person whose rows the stage would have left out (`llmops.suppression`)."""

    @property
    def losses(self) -> tuple[int, ...]:
        """Erasures that took rows out of this artifact: what was made of it before has to be made again."""
        return tuple(tombstone.sequence for tombstone in self.erasures if tombstone.rows)

    def names(self, suffix: str = "") -> list[str]:
        """Names of the data files that end in `suffix`."""
        return [file.name for file in self.files if file.name.endswith(suffix)]
