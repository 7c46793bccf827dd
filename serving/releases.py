"""The champion as an engine needs it: verified files on local disk, and what release.json says."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmops import artifacts
from llmops.annotation import prompts
from llmops.errors import ConfigurationError, MissingArtifactError, SignatureError
from llmops.publishing import releases
from llmops.publishing.releases import BaseModelRecord, Champion, ReleaseRecord
from llmops.settings import Settings


@dataclass(frozen=True)
class ServedRelease:
    """A verified release, ready to load."""

    record: ReleaseRecord
    folder: Path
    """Adapter and tokenizer, in a private copy that holds only signed files."""
    base: Path
    """The base model's folder, its files checked against the release's signed list."""


@contextmanager
def open_champion(settings: Settings) -> Iterator[ServedRelease]:
    """The release that champion.json names; its private copy goes when the context ends.

    Raises SignatureError, ArtifactError or ConfigurationError, with the remedy, unless everything verifies.
    """
    champion = releases.read_champion(settings.lake, settings.trusted_key)
    if champion is None:
        raise MissingArtifactError(
            f"{artifacts.join(settings.lake, releases.CHAMPION)}: nothing has been published; run the pipeline, "
            "or `llmops publish` on an approved decision"
        )
    record = champion.record
    if record.template != prompts.TEMPLATE:
        raise ConfigurationError(
            f"release {record.version} was trained with prompt template {record.template}, this service renders "
            f"{prompts.TEMPLATE}; serve it with the code that trained it, or train and publish again"
        )
    base = verify_base(record.base, settings.lake)
    with tempfile.TemporaryDirectory(prefix="llmops-release-") as folder:
        _copy_verified(champion, Path(folder))
        yield ServedRelease(record, Path(folder), base)


def verify_base(base: BaseModelRecord, lake: str) -> Path:
    """The local folder of a release's base model, once each file has the hash that the release was signed with."""
    model = artifacts.read(artifacts.join(lake, base.path), stage="import-model")
    hashes = {file.name.split("/", 1)[1]: file.sha256 for file in model.files}
    if hashes != base.files:
        changed = sorted(name for name in {*hashes, *base.files} if hashes.get(name) != base.files.get(name))
        raise SignatureError(
            f"{model.uri}: not the base model that the release was trained on ({', '.join(changed)} differ); "
            "import that model again, or train and publish on this one"
        )
    releases.refuse_unknown_files(model)
    return artifacts.local_folder(model)


def _copy_verified(champion: Champion, folder: Path) -> None:
    """Write each named file from bytes that were hashed after reading, so that nothing can change in between."""
    for name in artifacts.named_files(champion.release):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(artifacts.read_named(champion.release, name))
