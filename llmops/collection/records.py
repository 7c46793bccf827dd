"""What a source gives: records with named fields, or places that could not be read."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file or query: field name → text, None where the source has no value."""

    position: int
    """Number of the record within its file, from 0."""
    fields: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """A record, or a whole file, that could not be read; the rest of the source goes on."""

    rule: str
    """Short name that the manifest counts, such as `malformed_record`."""
    reason: str
    """A sentence for a person."""
    position: int = 0
    text: str | None = None
    """The raw record, if there is one to keep."""


class UnreadableError(ValueError):
    """A file as a whole is not of its kind; the collecting stage sets it aside with the message as reason."""
