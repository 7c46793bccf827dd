"""Releases and which of them are served: what serving and evaluation read, verified.

LAKE/champion.json names a release by path and digest; LAKE/releases/VERSION is an artifact whose manifest is signed.
Both must verify against the trusted key before a byte of the release is used. The module is light: no torch, no MLflow.

Not covered: a replayed older pointer with a valid signature. Its `sequence` is lower than one seen before; remembering
that number is up to the reader.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import fsspec
import structlog
from cyclopts import Parameter

from llmops import artifacts, signing
from llmops.errors import ConfigurationError, CorruptArtifactError, SignatureError
from llmops.manifest import Manifest
from llmops.publishing import pointers
from llmops.publishing.pointers import ChallengerPointer, Pointer
from llmops.records import Record
from llmops.settings import Settings

RECORD = "release.json"
log = structlog.get_logger()


class BaseModelRecord(Record):
    """The foundation model that a release's adapter belongs to; its weights stay where they are in the lake."""

    path: str
    """Folder relative to the lake."""
    digest: str
    licence: str
    files: dict[str, str]
    """SHA-256 of each file by name, so that the release's signature covers the weights as well."""


class ReleaseRecord(Record):
    """The content of release.json: what serving needs to know beside the files."""

    version: str
    as_of: date
    """Last day whose data the adapter was trained on."""
    base: BaseModelRecord
    adapter: str
    """Digest of the adapter's artifact."""
    features: str
    """Digest of the training set."""
    template: str
    """Version of the prompt template it was trained with."""
    system: str
    """System message it was trained with."""
    max_new_tokens: int
    """Default length of an answer."""
    temperature: float
    """Default sampling temperature; 0 means greedy."""
    scores: dict[str, Any]
    """The evaluation that the decision rests on."""


@dataclass(frozen=True)
class Champion:
    """A verified pointer with the verified release it names."""

    pointer: Pointer
    release: Manifest
    record: ReleaseRecord


@dataclass(frozen=True)
class Challenger:
    """A verified pointer to the release that is tried beside the champion, with that release."""

    pointer: ChallengerPointer
    release: Manifest
    record: ReleaseRecord


def read_champion(lake: str, trusted_key: Path) -> Champion | None:
    """What is served, every signature and hash checked; None where nothing has been published.

    Raises SignatureError or ArtifactError, with the remedy, when anything about it does not verify.
    """
    pointer = pointers.read(Pointer, lake, trusted_key)
    return Champion(pointer, *_read_named(pointer, lake, trusted_key)) if pointer else None


def read_challenger(pointer: ChallengerPointer, champion: Pointer, lake: str, trusted_key: Path) -> Challenger | None:
    """What a verified pointer says is tried beside this champion, likewise checked; None when nothing is any more."""
    if pointer.share == 0 or pointer.champion != champion.sequence:
        return None
    return Challenger(pointer, *_read_named(pointer, lake, trusted_key))


def _read_named(pointer: Pointer, lake: str, trusted_key: Path) -> tuple[Manifest, ReleaseRecord]:
    release = read_release(artifacts.join(lake, pointer.release), trusted_key)
    if release.digest != pointer.digest:
        raise SignatureError(
            f"{pointers.uri_of(type(pointer), lake)}: names release {pointer.digest[:12]}, but {release.uri} holds "
            f"{release.digest[:12]}; publish again"
        )
    return release, read_record(release)


def read_release(uri: str, trusted_key: Path) -> Manifest:
    """A release's manifest, once its signature and the hash of every file hold and no unknown file lies beside them."""
    release = artifacts.read(uri, stage="publish")
    signing.verify_manifest(release, trusted_key)
    refuse_unknown_files(release)
    artifacts.local_folder(release)
    return release


def read_record(release: Manifest) -> ReleaseRecord:
    """The release.json of a release."""
    return ReleaseRecord.model_validate_json(artifacts.read_named(release, RECORD))


def refuse_unknown_files(manifest: Manifest) -> None:
    """Raise CorruptArtifactError when a file lies in the artifact that its manifest does not name.

    Libraries open whatever carries an expected name, pickles too. Folders of other attempts are left alone: killed
    and superseded attempts leave them, and no reader opens them.
    """
    files, root = fsspec.url_to_fs(manifest.uri)
    root = files._strip_protocol(root)
    named = {artifacts.MANIFEST, *manifest.names()}
    own_folders = {name.split("/", 1)[0] for name in manifest.names()}
    present = (path.removeprefix(root).lstrip("/") for path in files.find(root))
    unknown = sorted(name for name in present if name not in named and not _is_left_behind(name, own_folders))
    if unknown:
        raise CorruptArtifactError(
            f"{manifest.uri}: holds files that its manifest does not name: {', '.join(unknown)}; remove them"
        )


def _is_left_behind(name: str, own_folders: set[str]) -> bool:
    """Whether a killed or superseded attempt left the file, where nothing reads it."""
    folder, _, below = name.partition("/")
    return folder.startswith("attempt-") and folder not in own_folders if below else name.startswith("_writing-")


def write_champion(lake: str, release: Manifest, version: str, *, settings: Settings) -> Pointer:
    """Make a signed release the champion; does nothing when it is champion already.

    The sequence is the present pointer's plus one. Raises SignatureError when the present pointer does not verify.
    """
    previous = pointers.read(Pointer, lake, settings.trusted_key)
    path = relative_to(lake, release.uri)
    if previous and (previous.digest, previous.release) == (release.digest, path):
        return previous
    before = previous.sequence if previous else None
    pointer = Pointer(sequence=(before or 0) + 1, version=version, release=path, digest=release.digest, fallback=before)
    pointer = pointers.write(pointer, lake, settings.signing_key)
    log.info("champion.named", version=version, sequence=pointer.sequence, digest=release.digest)
    return pointer


def show_champion(*, settings: Annotated[Settings, Parameter(parse=False)]) -> str:
    """Show what is served, after verifying it."""
    champion = read_champion(settings.lake, settings.trusted_key)
    if champion is None:
        return f"no champion in {settings.lake}; run `llmops publish` on an approved decision"
    record = champion.record
    lines = {
        "version": record.version,
        "sequence": champion.pointer.sequence,
        "release": champion.release.uri,
        "digest": champion.release.digest,
        "trained up to": record.as_of,
        "base model": f"{record.base.path} ({record.base.licence}, {record.base.digest[:12]})",
        "template": record.template,
        "verified against": settings.trusted_key,
    }
    return "\n".join(f"{name:<17}{value}" for name, value in lines.items())


def relative_to(lake: str, uri: str) -> str:
    """A URI's path below the lake, which holds wherever the lake is mounted."""
    root, path = (fsspec.url_to_fs(item)[1].rstrip("/") for item in (lake, uri))
    if not path.startswith(f"{root}/"):
        raise ConfigurationError(f"{uri}: outside the lake {lake}; releases name everything relative to LLMOPS_LAKE")
    return str(path.removeprefix(f"{root}/"))
