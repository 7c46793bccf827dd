"""Findings in a text: where, of which type, how sure; and one list out of several that overlap."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

PersonalDataType = Literal[
    "SECRET",
    "IBAN",
    "CARD",
    "EMAIL",
    "SSN",
    "NATIONAL_ID",
    "IP",
    "MAC",
    "CRYPTO",
    "DATE_OF_BIRTH",
    "PASSWORD",
    "PIN",
    "ACCOUNT",
    "PASSPORT",
    "DRIVER_LICENSE",
    "USERNAME",
    "PHONE",
    "ADDRESS",
    "PERSON",
]
TYPES: tuple[PersonalDataType, ...] = get_args(PersonalDataType)
"""Types of personal data, the strongest evidence first: it wins where two overlap."""
_RANKS: dict[str, int] = {kind: rank for rank, kind in enumerate(TYPES)}
_YIELDING = ("PHONE", "ADDRESS", "PERSON")
"""What is found by its look or its neighbours: it gives way to a stronger type, and keeps what is left of it."""

_PHONE_DIGITS = 7


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`text[start:end]` is personal data of a type."""

    start: int
    end: int
    type: str
    score: float = field(default=1.0, compare=False)
    """How sure it is, over 0 to 1: 1 for a checksum, less for a form, less again for words around it."""


def merge(found: Iterable[Span], text: str) -> list[Span]:
    """The findings in order and without overlaps; every character of a finding stays within one.

    Where two overlap, the stronger type covers both. A name, an address or a phone number is not widened over, but cut:
    what is left of it stays a finding of its own if it holds a letter or digit, of a phone number seven digits.
    """
    spans = sorted(set(found))
    kept = _widened(span for span in spans if span.type not in _YIELDING)
    for kind in _YIELDING:
        pieces = _left_over(_widened(span for span in spans if span.type == kind), kept)
        kept = sorted([*kept, *(piece for piece in pieces if _says_something(text, piece))])
    return kept


def _widened(spans: Iterable[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in spans:
        if kept and span.start < kept[-1].end:
            last = kept.pop()
            best = min((last, span), key=lambda item: _RANKS[item.type])
            span = Span(last.start, max(last.end, span.end), best.type, best.score)  # noqa: PLW2901 - takes its place
        kept.append(span)
    return kept


def _left_over(spans: list[Span], taken: list[Span]) -> Iterator[Span]:
    """What is left of `spans` beside `taken`; both in order, each without overlaps."""
    first = 0
    for span in spans:
        while first < len(taken) and taken[first].end <= span.start:
            first += 1
        start, other = span.start, first
        while other < len(taken) and taken[other].start < span.end:
            if taken[other].start > start:
                yield Span(start, taken[other].start, span.type, span.score)
            start = taken[other].end
            other += 1
        if start < span.end:
            yield Span(start, span.end, span.type, span.score)


def _says_something(text: str, span: Span) -> bool:
    rest = text[span.start : span.end]
    if span.type == "PHONE":
        return sum(character.isdigit() for character in rest) >= _PHONE_DIGITS
    return any(character.isalnum() for character in rest)
