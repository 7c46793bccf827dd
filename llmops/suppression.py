"""The suppression list: erased people, whom no stage lets back in.

LAKE/erasures/suppressed.json holds a keyed hash per person, numbered, signed and only ever appended to. It tells
nobody without the pseudonym key who is on it, and whoever has the key can only ask about one person at a time.
Stages that read from outside the lake leave the people on it out; the artifact says up to which number it did.

A person is known by one code, whatever form a store has the name in: the 16 digits of the pseudonym that redaction
makes of it (`llmops.guards.pseudonyms`), which stand in the pseudonym itself.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import fsspec

from llmops import artifacts, digests, signing, storage
from llmops.errors import CorruptArtifactError, ErasedMeanwhileError, SignatureError
from llmops.guards import pseudonyms
from llmops.records import Record
from llmops.settings import Settings

RULE = "suppressed"
"""The rule by which rows of erased people are set aside."""
FOLDER = "erasures"
"""Below the lake: the list, and the certificates `NNNNNN.json` of what was erased."""
_KIND = b"llmops suppression list\n"
_PSEUDONYM = re.compile(r"<[A-Z_]+:([0-9a-f]{16})>")
_FORMS_REMEMBERED = 100_000


class Entry(Record):
    """One erased person."""

    sequence: int
    """Number of the erasure, from 1."""
    subject: str
    """Keyed hash of the person's code (64 hexadecimal digits)."""
    added_at: datetime


class SuppressionList(Record):
    """The content of suppressed.json."""

    entries: tuple[Entry, ...] = ()
    signature: str | None = None

    @property
    def sequence(self) -> int:
        """Number of the last entry; 0 for none."""
        return len(self.entries)


@dataclass(frozen=True)
class Suppressed:
    """The list together with the key that tells who is on it."""

    sequence: int
    """Number of the last erased person; 0 for none."""
    hashes: frozenset[str]
    key: bytes | None
    """None where nobody is on the list: then no key is needed."""

    def holds(self, subject_id: str | None) -> bool:
        """Whether the subject, as a source names it or as its pseudonym, is on the list."""
        if self.key is None or not subject_id:
            return False
        return hash_of(code_of(subject_id, self.key), self.key) in self.hashes


def code_of(subject_id: str, key: bytes) -> str:
    """The person's code: the 16 digits of any pseudonym of that subject."""
    is_one = _PSEUDONYM.fullmatch(subject_id)
    return is_one[1] if is_one else _code(subject_id, key)


@lru_cache(maxsize=_FORMS_REMEMBERED)
def _code(subject_id: str, key: bytes) -> str:
    return pseudonyms.pseudonym(subject_id, RULE.upper(), key).rsplit(":", 1)[1].rstrip(">")


def hash_of(code: str, key: bytes) -> str:
    """What the list holds of a person: HMAC-SHA256 (RFC 2104) of the code, in a domain of its own.

    The code itself would do for telling people apart, but it is the pseudonym, which an erasure takes away.
    """
    return hmac.digest(key, b"llmops suppressed subject\n" + code.encode(), "sha256").hex()


def uri_of(lake: str) -> str:
    """Where the list lies."""
    return artifacts.join(lake, FOLDER, "suppressed.json")


def read(settings: Settings) -> Suppressed:
    """The list of this lake, verified; an empty one where nobody was ever erased.

    Raises SignatureError for a list that does not verify or that is older than a certificate beside it, and
    ConfigurationError without the key.
    """
    entries = read_entries(settings)
    key = pseudonyms.read_key(settings.pseudonym_key) if entries.entries else None
    return Suppressed(entries.sequence, frozenset(entry.subject for entry in entries.entries), key)


def read_entries(settings: Settings) -> SuppressionList:
    """The list without the key, likewise verified."""
    uri = uri_of(settings.lake)
    files, path = fsspec.url_to_fs(uri)
    try:
        found = SuppressionList.model_validate_json(files.cat_file(path))
    except FileNotFoundError:
        found = SuppressionList()
    except ValueError as error:
        raise CorruptArtifactError(f"{uri}: damaged; restore it: without it, erased people would come back") from error
    else:
        signing.verify(_signed_part(found), found.signature, settings.trusted_key, uri)
    newest = max(certificate_numbers(settings.lake), default=0)
    if found.sequence < newest:
        raise SignatureError(f"{uri}: ends at {found.sequence}, but erasure {newest} has a certificate; restore it")
    return found


def add(code: str, *, settings: Settings, now: datetime) -> Entry:
    """Put a person on the list, once; the entry that stands there already if they are on it."""
    key, present = pseudonyms.read_key(settings.pseudonym_key), read_entries(settings)
    subject = hash_of(code, key)
    for entry in present.entries:
        if entry.subject == subject:
            return entry
    entry = Entry(sequence=present.sequence + 1, subject=subject, added_at=now)
    fresh = SuppressionList(entries=(*present.entries, entry))
    fresh = fresh.model_copy(update={"signature": signing.sign(_signed_part(fresh), settings.signing_key)})
    files, path = fsspec.url_to_fs(uri_of(settings.lake))
    storage.put(files, path, fresh.model_dump_json(indent=2).encode())
    return entry


def refuse_if_outdated(applied: Suppressed, settings: Settings, target: str) -> None:
    """Raise ErasedMeanwhileError when somebody was erased since a stage read the list."""
    if read_entries(settings).sequence != applied.sequence:
        raise ErasedMeanwhileError(f"{target}: not committed: somebody was erased meanwhile; run it again")


def certificate_numbers(lake: str) -> Sequence[int]:
    """The numbers of the erasures that were completed."""
    files, root = fsspec.url_to_fs(artifacts.join(lake, FOLDER))
    names = (path.rsplit("/", 1)[-1] for path in files.glob(f"{root}/[0-9]*.json"))
    return sorted({int(name[:6]) for name in names if name[:6].isdigit()})


def _signed_part(found: SuppressionList) -> bytes:
    return _KIND + digests.canonical_json(found.model_dump(mode="json", exclude={"signature"}))
