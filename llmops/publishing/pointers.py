"""The two files that say what is served: LAKE/champion.json, and LAKE/challenger.json while a challenger is tried.

Former champions are kept in LAKE/champions/SEQUENCE.json, for rollbacks. Each pointer is signed, in a domain of its
own, and numbered: its sequence never goes back, so that whoever remembers the last one notices an older file that
somebody put in its place. A challenger that has lost stays named, with no share.
"""

from datetime import datetime
from pathlib import Path
from typing import TypeVar

import fsspec
from pydantic import BaseModel, ConfigDict, Field

from llmops import artifacts, digests, signing, storage
from llmops.errors import CorruptArtifactError, SignatureError
from llmops.publishing.canary.config import CanaryConfig


class Pointer(BaseModel):
    """The content of champion.json."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    sequence: int
    """Counts what was named, from 1; never goes back."""
    version: str
    release: str
    """Folder of the release, relative to the lake."""
    digest: str
    """Digest of that release."""
    fallback: int | None = None
    """Sequence of the champion that `llmops rollback` names next."""
    signature: str | None = None


class ChallengerPointer(Pointer):
    """The content of challenger.json."""

    champion: int
    """Sequence of the champion that it is compared with; beside another one it counts as ended."""
    share: float = Field(ge=0, lt=1)
    """Share of users whom it answers; 0 when it has ended."""
    since: datetime
    """When its first user was sent to it (UTC)."""
    config: CanaryConfig
    """What it has to prove. It stays as it was at the start: limits that move on the way would prove nothing."""


_Named = TypeVar("_Named", bound=Pointer)
_FORMER = "champions"
_FILES: dict[type[Pointer], tuple[str, bytes]] = {
    Pointer: ("champion.json", b"llmops champion pointer\n"),
    ChallengerPointer: ("challenger.json", b"llmops challenger pointer\n"),
}


def uri_of(kind: type[Pointer], lake: str) -> str:
    """Where a pointer of this kind lies."""
    return artifacts.join(lake, _FILES[kind][0])


def read(kind: type[_Named], lake: str, trusted_key: Path) -> _Named | None:
    """The pointer with its signature checked, or None where there is none.

    Raises CorruptArtifactError or SignatureError.
    """
    return _read(kind, uri_of(kind, lake), trusted_key)


def read_former(sequence: int, lake: str, trusted_key: Path) -> Pointer | None:
    """The champion of that number, present or former, likewise."""
    found = _read(Pointer, artifacts.join(lake, _FORMER, f"{sequence:06}.json"), trusted_key)
    if found is not None and found.sequence != sequence:
        raise SignatureError(f"{lake}: champion {sequence} is recorded as {found.sequence}; restore {_FORMER}/")
    return found


def _read(kind: type[_Named], uri: str, trusted_key: Path) -> _Named | None:
    files, path = fsspec.url_to_fs(uri)
    try:
        text = files.cat_file(path)
    except FileNotFoundError:
        return None
    try:
        pointer = kind.model_validate_json(text)
    except ValueError as error:
        raise CorruptArtifactError(
            f"{uri}: damaged; restore it, or remove it and name the release to be served again"
        ) from error
    signing.verify(_signed_part(pointer), pointer.signature, trusted_key, uri)
    return pointer


def write(pointer: _Named, lake: str, signing_key: Path) -> _Named:
    """Sign the pointer and put it in its place, whole; a champion's is kept under its number first."""
    signed = pointer.model_copy(update={"signature": signing.sign(_signed_part(pointer), signing_key)})
    uris = [uri_of(type(pointer), lake)]
    if type(pointer) is Pointer:
        uris.insert(0, artifacts.join(lake, _FORMER, f"{pointer.sequence:06}.json"))
    for uri in uris:
        files, path = fsspec.url_to_fs(uri)
        storage.put(files, path, signed.model_dump_json(indent=2).encode())
    return signed


def _signed_part(pointer: Pointer) -> bytes:
    return _FILES[type(pointer)][1] + digests.canonical_json(pointer.model_dump(mode="json", exclude={"signature"}))
