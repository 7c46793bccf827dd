"""Releases as an engine needs them: verified files on local disk, and what release.json says."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmops import artifacts, digests
from llmops.annotation import prompts
from llmops.errors import ConfigurationError, MissingArtifactError, SignatureError
from llmops.manifest import Manifest
from llmops.publishing import pointers, releases
from llmops.publishing.pointers import ChallengerPointer, Pointer
from llmops.publishing.releases import BaseModelRecord, Challenger, Champion, ReleaseRecord
from llmops.settings import Settings


@dataclass(frozen=True)
class ReleaseFiles:
    """A verified release, ready to load."""

    record: ReleaseRecord
    folder: Path
    """Adapter and tokenizer, in a private copy that holds only signed files."""
    base: Path
    """The base model's folder, its list of files checked against the release's signed one."""


@dataclass(frozen=True)
class Named:
    """What the lake says is to be served, every signature checked."""

    champion: Champion
    challenger: Challenger | None
    sequences: tuple[int, int]
    """Numbers of the two pointers; neither ever goes back."""


def read_named(settings: Settings) -> Named:
    """The champion, and the challenger that is tried beside it.

    Raises SignatureError or ArtifactError, with the remedy, unless everything verifies.
    """
    champion = releases.read_champion(settings.lake, settings.trusted_key)
    if champion is None:
        raise MissingArtifactError(
            f"{pointers.uri_of(Pointer, settings.lake)}: nothing has been published; run the pipeline, "
            "or `llmops publish` on an approved decision"
        )
    pointer = pointers.read(ChallengerPointer, settings.lake, settings.trusted_key)
    if pointer is None:
        return Named(champion, None, (champion.pointer.sequence, 0))
    challenger = releases.read_challenger(pointer, champion.pointer, settings.lake, settings.trusted_key)
    return Named(champion, challenger, (champion.pointer.sequence, pointer.sequence))


@contextmanager
def open_release(release: Manifest, settings: Settings, *, is_base_hashed: bool = True) -> Iterator[ReleaseFiles]:
    """A signed release's files; the private copy goes when the context ends.

    Without `is_base_hashed` whoever loads the base model's weights checks them against `record.base.files`.
    Raises SignatureError, ArtifactError or ConfigurationError, with the remedy, unless everything verifies.
    """
    record = releases.read_record(release)
    if record.template != prompts.TEMPLATE:
        raise ConfigurationError(
            f"release {record.version} was trained with prompt template {record.template}, this service renders "
            f"{prompts.TEMPLATE}; serve it with the code that trained it, or train and publish again"
        )
    base = verify_base(record.base, settings.lake, is_hashed=is_base_hashed)
    with tempfile.TemporaryDirectory(prefix="llmops-release-") as folder:
        _copy_verified(release, Path(folder))
        _require_own_tokenizer(record, Path(folder))
        yield ReleaseFiles(record, Path(folder), base)


def verify_base(base: BaseModelRecord, lake: str, *, is_hashed: bool = True) -> Path:
    """The local folder of a release's base model, once each file has the hash that the release was signed with.

    Without `is_hashed` the model's manifest alone has been compared.
    """
    model = artifacts.read(artifacts.join(lake, base.path), stage="import-model")
    hashes = {file.name.split("/", 1)[1]: file.sha256 for file in model.files}
    if hashes != base.files:
        changed = sorted(name for name in {*hashes, *base.files} if hashes.get(name) != base.files.get(name))
        raise SignatureError(
            f"{model.uri}: not the base model that the release was trained on ({', '.join(changed)} differ); "
            "import that model again, or train and publish on this one"
        )
    releases.refuse_unknown_files(model)
    return artifacts.local_folder(model, is_hashed=is_hashed)


def _copy_verified(release: Manifest, folder: Path) -> None:
    """Write each named file from bytes that were hashed after reading, so that nothing can change in between."""
    for name in artifacts.named_files(release):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(artifacts.read_named(release, name))


def _require_own_tokenizer(record: ReleaseRecord, folder: Path) -> None:
    """Refuse a release whose tokenizer is not that of its base model: the same ids would mean other words."""
    for path in sorted(folder.glob("*token*")):
        if digests.of_file(path) != record.base.files.get(path.name):
            raise ConfigurationError(
                f"release {record.version}: {path.name} is not the one of its base model {record.base.path}; "
                "publish it again from the base model it was trained on"
            )
