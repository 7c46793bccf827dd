"""Whom an erasure is about: by which names and row ids the person is known, and what in a store is about them."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from llmops import suppression
from llmops.errors import ConfigurationError

_SUBJECTS = ("subject_id", "customer_id", "subject")
_IDS = ("row_id", "example_id")
_SHORT = 12
"""Names below this length are looked for as whole words: `C-101` is not `C-1016`."""
_ERASED = "<ERASED>"
_ID = re.compile(rb"[0-9a-f]{32,}")
"""What row ids look like among other bytes (`digests.short_id`, answer ids)."""


@dataclass
class Person:
    """What is known of the person; names and row ids grow while the stores are read."""

    code: str
    """The digits of the person's pseudonyms (`llmops.suppression`)."""
    key: bytes = field(repr=False)
    names: frozenset[str]
    """Forms of the subject's id met so far, and what else was given to look for."""
    row_ids: set[str] = field(default_factory=set)
    """Ids of rows that are about the person or were made of such rows."""

    def is_subject(self, value: object) -> bool:
        """Whether a subject column's value means the person."""
        return isinstance(value, str) and bool(value) and suppression.code_of(value, self.key) == self.code

    def concerns(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is about the person, was made of such a row, or has one of the names anywhere in it."""
        ids = {row.get(name) for name in _IDS} | set(row.get("parents") or ())
        return (
            not self.row_ids.isdisjoint(ids)
            or any(self.is_subject(row.get(name)) for name in _SUBJECTS)
            or any(self.is_mentioned(text) for text in _texts(row))
        )

    def learn(self, row: Mapping[str, Any]) -> None:
        """Remember a row that concerns the person, and under what name it has them."""
        self.row_ids |= {row[name] for name in _IDS if row.get(name)}
        forms = {row[name] for name in _SUBJECTS if self.is_subject(row.get(name))}
        if forms - self.names:
            self.names |= forms
            for cached in ("_pattern", "_bytes_pattern"):
                self.__dict__.pop(cached, None)

    def is_mentioned(self, text: str) -> bool:
        """Whether one of the names stands in a text."""
        return self._pattern.search(text) is not None

    def is_in(self, data: bytes) -> bool:
        """Whether one of the names stands in a file's bytes, as UTF-8 or with JSON's escapes."""
        return self._bytes_pattern.search(data) is not None

    def has_id_in(self, data: bytes) -> bool:
        """Whether one of the row ids stands in a file's bytes."""
        return any(found.decode() in self.row_ids for found in set(_ID.findall(data)))

    def mask(self, text: str) -> str:
        """The text without the names."""
        return self._pattern.sub(_ERASED, text)

    def mask_bytes(self, data: bytes) -> tuple[bytes, int]:
        """The bytes, as many as before, with `x` in place of names and row ids, and how many there were."""
        places = [match.span() for match in self._bytes_pattern.finditer(data)]
        places += [match.span() for match in _ID.finditer(data) if match[0].decode() in self.row_ids]
        masked = bytearray(data)
        for start, end in places:
            masked[start:end] = b"x" * (end - start)
        return bytes(masked), len(places)

    @property
    def unsearchable(self) -> list[str]:
        """Names too common to be looked for in text, such as short numbers; they count in subject columns alone."""
        return sorted(name for name in self.names if not _is_telling(name))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(_bounded(re.escape(name), name) for name in self._sought), re.IGNORECASE)

    @cached_property
    def _bytes_pattern(self) -> re.Pattern[bytes]:
        forms = [(form, name) for name in self._sought for form in {name.encode(), _escaped(name)}]
        bounded = (_bounded(re.escape(form.decode("latin-1")), name) for form, name in forms)
        return re.compile("|".join(bounded).encode("latin-1"), re.IGNORECASE)

    @property
    def _sought(self) -> list[str]:
        return sorted({self.code, *(name for name in self.names if _is_telling(name))}, key=len, reverse=True)


def identify(subject: str, values: Collection[str], key: bytes) -> Person:
    """The person whom a subject id, as the sources give it or as a pseudonym, names.

    `values` are further names to look for, such as an e-mail address or a phone number. Raises ConfigurationError for
    one that is too common to be looked for.
    """
    common = sorted(len(value) for value in values if not _is_telling(value))
    if common:
        raise ConfigurationError(
            f"a value of {common[0]} characters is too common to look for in texts; give one of 5 or more that is no "
            "short number"
        )
    return Person(suppression.code_of(subject, key), key, frozenset({subject, *values}))


def _is_telling(name: str) -> bool:
    return len(name) >= 5 and not (name.isdigit() and len(name) < 8)


def _bounded(escaped: str, name: str) -> str:
    return rf"(?<![A-Za-z0-9]){escaped}(?![A-Za-z0-9])" if len(name) < _SHORT else escaped


def _escaped(name: str) -> bytes:
    return json.dumps(name)[1:-1].encode()


def _texts(value: object) -> Iterator[str]:
    """Every string within a row, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
