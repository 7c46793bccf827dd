"""What `_manifest.json` says: the record that makes a folder an artifact."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


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
    """Content of the artifact; equal for two runs over equal input.

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
    """Ed25519 signature over everything else, in releases, decisions and approvals (`llmops.signing`)."""

    def names(self, suffix: str = "") -> list[str]:
        """Names of the data files that end in `suffix`."""
        return [file.name for file in self.files if file.name.endswith(suffix)]
