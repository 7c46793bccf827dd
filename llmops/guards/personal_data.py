"""Personal data with a pattern or a checksum: cards, e-mail addresses, IBANs and phone numbers.

Pure functions on text, used by the pipeline and by the service alike. Not covered: names, addresses, dates of birth,
national ids, passwords and secrets.
"""

import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import phonenumbers
import stdnum.ean
import stdnum.iban
import stdnum.luhn

from llmops.guards import views

# A run of local characters is matched whole, address or not, so that none of its characters is a start again.
_EMAIL = re.compile(r"[\w.+%'-]++(@(?:[\w-]+\.)+[^\W\d_]{2,})?")
_DIGITS = re.compile(r"\d+")
_CHAIN = re.compile(r"\d+(?:[ ./_-]\d+)*")
_CARD_DIGITS = range(13, 20)
# Issuer prefixes and lengths: ISO/IEC 7812, as listed by the card networks.
_ISSUER = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[0689]\d{12}|6(?:011|4\d\d|5\d\d)\d{12}|35\d{14}"
)
_IN_ONE_OR_AS_PRINTED = re.compile(
    r"\d+|\d{4}(?:\D\d{4}){2,3}(?:\D\d{2,3})?|\d{4}\D\d{6}\D\d{4,5}|\d{8}\D\d{8}"  # fours, 4-6-4, 4-6-5, halves
)
_EVENLY_SPLIT = re.compile(r"\d{1,12}(\D)\d{1,12}(?:\1\d{1,12})*")
_LONG_FRACTION = re.compile(r"\d\.\d{9}")
# Ahead only, so that a match does not use up the text that another one starts in.
_IBAN = re.compile(r"(?<!\w)(?=([A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30})(?!\w))", re.IGNORECASE)
_MIN_PHONE_DIGITS = 7
TYPES = ("IBAN", "CARD", "EMAIL", "PHONE")
"""Types that `find` knows, the strongest checksum first: it wins where two overlap."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`text[start:end]` is personal data of a type."""

    start: int
    end: int
    type: str


def find(text: str, types: Collection[str] = TYPES, phone_regions: Collection[str] = ("DE", "GB", "US")) -> list[Span]:
    """Spans of personal data in `text`, in order and without overlaps.

    Looks at the text as it stands and at its normalised view (`llmops.guards.views`), with offsets mapped back. Where
    two findings overlap, the type with the stronger checksum wins and the span covers both.
    """
    if not any(character.isdigit() or character in "@\uff20\ufe6b" for character in text):
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
        yield from (Span(match.start(), match.end(), "EMAIL") for match in _EMAIL.finditer(text) if match[1])
    if "CARD" in types:
        yield from _cards(text)
    if "IBAN" in types:
        yield from _ibans(text)
    if "PHONE" in types and sum(character.isdigit() for character in text) >= _MIN_PHONE_DIGITS:
        for region in phone_regions or (None,):
            for match in phonenumbers.PhoneNumberMatcher(text, region, max_tries=sys.maxsize):
                yield Span(match.start, match.end, "PHONE")


def _cards(text: str) -> Iterator[Span]:
    """Cards that begin and end with a group of digits, whatever else is written beside them.

    A run of digits is never cut. Groups are put together where they have the form in which cards are printed; in any
    other even form only if no more digits adjoin.
    """
    for chain in _CHAIN.finditer(text):
        groups = [match.span() for match in _DIGITS.finditer(text, *chain.span())]
        for first, (start, _) in enumerate(groups):
            digits = ""
            for group_start, end in groups[first : first + _CARD_DIGITS[-1]]:
                digits += text[group_start:end]
                if len(digits) > _CARD_DIGITS[-1]:
                    break
                if _is_card(digits) and _is_one_number(text, start, end, is_alone=(start, end) == chain.span()):
                    yield Span(start, end, "CARD")


def _is_card(digits: str) -> bool:
    """Whether issuer, length and checksum fit; 13 digits that are also a valid EAN are one: no such cards are left."""
    is_issued = len(digits) in _CARD_DIGITS and _ISSUER.fullmatch(digits) is not None
    return is_issued and stdnum.luhn.is_valid(digits) and not (len(digits) == 13 and stdnum.ean.is_valid(digits))


def _is_one_number(text: str, start: int, end: int, *, is_alone: bool) -> bool:
    if _LONG_FRACTION.search(text, max(start - 2, 0), end):
        return False
    forms = (_IN_ONE_OR_AS_PRINTED, _EVENLY_SPLIT) if is_alone else (_IN_ONE_OR_AS_PRINTED,)
    return any(form.fullmatch(text, start, end) for form in forms)


def _ibans(text: str) -> Iterator[Span]:
    """IBANs of a valid country, length and checksum; a following word is not taken for part of the number."""
    for match in _IBAN.finditer(text):
        words = list(re.finditer(r"\S+", match[1]))
        for last in reversed(words):
            if stdnum.iban.is_valid(match[1][: last.end()]):
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
