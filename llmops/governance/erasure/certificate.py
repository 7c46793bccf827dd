"""The signed certificate that an erasure leaves in the lake, and its verification."""

from datetime import datetime

import fsspec

from llmops import artifacts, digests, signing, storage, suppression
from llmops.errors import CorruptArtifactError, MissingArtifactError
from llmops.records import Record
from llmops.settings import Settings

_KIND = b"llmops erasure certificate\n"


class ModelVersions(Record):
    """Models that learnt from the person; what they hold of it is not erased but trained anew."""

    adapters: tuple[str, ...]
    """Folders in the lake."""
    releases: tuple[str, ...]
    """Versions."""
    untraceable: tuple[str, ...]
    """Versions whose training set was replaced since, so that nobody can tell."""


class StoreReport(Record):
    """What became of the person in one store; counts are of rows, lines, entries or values."""

    found: int
    left: int


class Certificate(Record):
    """What was erased when, without a word that would tell who it was."""

    sequence: int
    """Number of the erasure, as in the suppression list and in tombstones."""
    subject: str
    """Keyed hash of the person, as in the suppression list."""
    reason: str
    started_at: datetime
    completed_at: datetime
    stores: dict[str, StoreReport]
    artifacts: dict[str, int]
    """Rows, entries or names taken out of each artifact, by its folder in the lake."""
    models: ModelVersions
    searched_files: int
    """Files whose bytes were searched afterwards."""
    searched_bytes: int
    names_searched: int
    """Names that were looked for: the id, its pseudonym, and values given with the request."""
    names_not_searched: int
    """Ids too common to be looked for in text, such as short numbers; subject columns were compared all the same."""
    signature: str | None = None


def uri_of(lake: str, sequence: int) -> str:
    """Where the certificate of an erasure lies."""
    return artifacts.join(lake, suppression.FOLDER, f"{sequence:06}.json")


def write(certificate: Certificate, settings: Settings) -> str:
    """Sign and store a certificate, whole, and say where. One that stands there already is kept beside it."""
    signed = certificate.model_copy(update={"signature": signing.sign(_signed_part(certificate), settings.signing_key)})
    uri = uri_of(settings.lake, certificate.sequence)
    files, path = fsspec.url_to_fs(uri)
    if files.exists(path):
        before = read(uri, settings)
        files.copy(path, path.replace(".json", f"-{before.completed_at:%Y%m%dT%H%M%S%f}.json"))
    storage.put(files, path, signed.model_dump_json(indent=2).encode())
    return uri


def read(uri: str, settings: Settings) -> Certificate:
    """A certificate whose signature holds.

    Raises MissingArtifactError, CorruptArtifactError or SignatureError.
    """
    files, path = fsspec.url_to_fs(uri)
    try:
        certificate = Certificate.model_validate_json(files.cat_file(path))
    except FileNotFoundError as error:
        raise MissingArtifactError(f"{uri}: no such certificate; they lie in LAKE/{suppression.FOLDER}") from error
    except ValueError as error:
        raise CorruptArtifactError(f"{uri}: not a certificate, or a damaged one; restore it") from error
    signing.verify(_signed_part(certificate), certificate.signature, settings.trusted_key, uri)
    return certificate


def _signed_part(certificate: Certificate) -> bytes:
    return _KIND + digests.canonical_json(certificate.model_dump(mode="json", exclude={"signature"}))
