"""Personal data with a pattern or a checksum: cards, e-mail addresses, IBANs and phone numbers.

Pure functions on text, used by the pipeline and by the service alike. Not covered: names, addresses, dates of birth,
national ids, passwords and secrets.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import phonenumbers
import stdnum.iban
import stdnum.luhn

from llmops.guards import views

_EMAIL = re.compile(r"[\w.+%'-]+@(?:[\w-]+\.)+[^\W\d_]{2,}")
_CARD = re.compile(r"(?<![\w.,-])\d(?:[ .-]?\d){12,18}(?![\w]|[.,-]\d)")
# Issuer prefixes and lengths: ISO/IEC 7812, as listed by the card networks.
_ISSUER = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[0689]\d{12}|6(?:011|4\d\d|5\d\d)\d{12}|35\d{14}"
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?!\w)", re.IGNORECASE)
_MIN_PHONE_DIGITS = 7
TYPES = ("CARD", "EMAIL", "IBAN", "PHONE")
"""Types that `find` knows, those with a checksum first: they win where two overlap."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`text[start:end]` is personal data of a type."""

    start: int
    end: int
    type: str


def find(text: str, types: Collection[str] = TYPES, phone_regions: Collection[str] = ("DE", "GB", "US")) -> list[Span]:
    """Spans of personal data in `text`, in order and without overlaps.

    Looks at the text as it stands and at its normalised view (`llmops.guards.views`), with offsets mapped back. Where
    two findings overlap, the checksummed type wins and the span covers both.
    """
    if not any(character.isdigit() or character in "@\uff20" for character in text):
        return []
    view = views.normalised(text)
    found = list(_scan(text, types, phone_regions))
    if view.text != text:
        mapped = _scan(view.text, types, phone_regions)
        found += [Span(*view.original_span(span.start, span.end), span.type) for span in mapped]
    return _merge(found)


def redact(text: str, spans: list[Span]) -> str:
    """The text with each span (as `find` gives them) replaced by `<TYPE>`."""
    pieces, position = [], 0
    for span in spans:
        pieces += [text[position : span.start], f"<{span.type}>"]
        position = span.end
    return "".join([*pieces, text[position:]])


def _scan(text: str, types: Collection[str], phone_regions: Collection[str]) -> Iterator[Span]:
    if "EMAIL" in types:
        yield from (Span(match.start(), match.end(), "EMAIL") for match in _EMAIL.finditer(text))
    if "CARD" in types:
        yield from (
            Span(match.start(), match.end(), "CARD") for match in _CARD.finditer(text) if _is_card(match.group())
        )
    if "IBAN" in types:
        yield from _ibans(text)
    if "PHONE" in types and sum(character.isdigit() for character in text) >= _MIN_PHONE_DIGITS:
        for region in phone_regions:
            for match in phonenumbers.PhoneNumberMatcher(text, region):
                yield Span(match.start, match.end, "PHONE")


def _is_card(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return _ISSUER.fullmatch(digits) is not None and bool(stdnum.luhn.is_valid(digits))


def _ibans(text: str) -> Iterator[Span]:
    """IBANs of a valid country, length and checksum; a following word is not taken for part of the number."""
    for match in _IBAN.finditer(text):
        words = list(re.finditer(r"\S+", match.group()))
        for last in reversed(words):
            if stdnum.iban.is_valid(match.group()[: last.end()]):
                yield Span(match.start(), match.start() + last.end(), "IBAN")
                break


def _merge(found: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(set(found)):
        if merged and span.start < merged[-1].end:
            last = merged.pop()
            kind = min((last.type, span.type), key=TYPES.index)
            span = Span(last.start, max(last.end, span.end), kind)  # noqa: PLW2901 - the widened span takes its place
        merged.append(span)
    return merged
