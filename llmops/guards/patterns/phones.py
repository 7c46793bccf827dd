"""Phone numbers in international and national forms."""

import re
from collections.abc import Collection, Iterator
from functools import lru_cache

import phonenumbers

from llmops.guards.patterns import hints
from llmops.guards.spans import Span

REGIONS = (
    *("AT", "AU", "BE", "BR", "CA", "CH", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "HU", "IE", "IN", "IT", "JP", "MX"),
    *("NL", "NO", "NZ", "PL", "PT", "RO", "SE", "US", "ZA"),
)
"""Regions (ISO 3166 alpha-2) whose national formats are known by default."""

_BETWEEN = r"(?: ?[()/-]{1,2} ?|[ .]|)"
# As `(?<![\w$€£#])\(?\+?\(?\d` and more digits, but with a character in front that `re` skips to.
_RUN = rf"[\d(+](?<![\w$€£#].)(?:(?<=\d)|(?<=\()\+?\(?\d|(?<=\+)\(?\d)(?:{_BETWEEN}\d){{6,}}+"
_CANDIDATE = re.compile(rf"{_RUN}(?!\w|-\w*\d)(?: ?(?:x|ext\.?|extension|#|;ext=) ?\d{{1,6}}(?!\w))?")
_EXTENDED = re.compile(rf"{_RUN}(?:x|ext\.?|;ext=) ?\d{{1,6}}(?!\w)")
_LONGEST = 40  # characters of a number with all its signs
_DIGITS = re.compile(r"\d+")
_DECIMAL = re.compile(r"\d+\.\d+")
_NOT_DIGITS = re.compile(r"\D+")
_EXTENSION = re.compile(r" ?(?:x|ext\.?|extension|#|;ext=) ?\d+$")
_DATE = re.compile(
    r"(?<![\d./-])(?:(?:19|20)\d\d([-./])[01]?\d\1[0-3]?\d|[0-3]?\d([-./])[0-3]?\d\2(?:19|20)?\d\d)(?![./-]?\d)"
)
_AMOUNT = re.compile(r"\d+[.,]\d+|\d{1,3}(?:[ .]\d{3})+(?:[.,]\d\d)?|\d{1,5}-\d{1,5}")
_NORTH_AMERICAN = re.compile(r"(?:(?:\+|00)?1[ .-]?)?(?:\([2-9]\d\d\)[ .-]?|[2-9]\d\d([.-]))\d{3}[ .-]\d{4}")
_MADE_UP = re.compile(r"(?:(?:\+|00)?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}")
# Words that must not begin within another stand together, so that `re` passes over all of them at once.
_PHONE_WORDS = (
    r"phone|mobile|calling|dial|whats ?app|text (?:me|us)|reach (?:me|us|him|her|them)|contact|landline|hotline|handy"
    r"|telefon|anruf|t[ée]l[ée]phone|portable|tel[eé]fono|m[oó]vil|telem[oó]vel|celular|puhelin|numéro|call-?back"
    r"|numer\b|\b(?:tele?\b|ph\b|cell|calls?\b|ring\b|sms\b|fax|answer|desk\b|mobil|tlf|t[ée]l\b)"
)
_OTHER_WORDS = (
    r"order|invoice|tracking|reference|ticket|item|account|policy|serial|model|parcel|version|amount|bestell|rechnung"
    r"|kunden|commande|pedido|customer|iban|social security|booking|transaction|routing|passport|licen[cs]e"
    r"|\b(?:ref\b|case\b|sku|acct|card\b|zip|id\b|isbn|ean\b|ssn\b)"
)
_TOLD_IN_SMALL = re.compile(rf"(?P<phone>{_PHONE_WORDS})|(?P<other>{_OTHER_WORDS})")
_TOLD = re.compile(_TOLD_IN_SMALL.pattern, re.IGNORECASE)
_BEHIND = r"[ -]{0,2}\(?(?:office|fax|mobile|cell|home|work|desk|direct|tel|phone)\b"
_TOLD_BEHIND = re.compile(_BEHIND, re.IGNORECASE)
_STREET_BEHIND = re.compile(r" [^\W\d_a-z]")
FEWEST_DIGITS = 7
"""Digits that a phone number has at least: shorter ones are extensions and emergency calls."""
_MOST_DIGITS = 15  # ITU-T E.164
_SIGN = r"(?: ?[()/-]{1,2} ?|[ .])"
# Seven digits in one run count with a prefix or where words say so, in several runs always.
_PARTED = (rf"\d{{{run}}}{_SIGN}\d(?:{_BETWEEN}\d){{{FEWEST_DIGITS - 1 - run}}}" for run in range(1, FEWEST_DIGITS))
HINTS = {
    "PHONE": (
        "|".join((*_PARTED, rf"\d{{7}}{_SIGN}\d|0\d{{6}}|\+\(?\d{{7}}")),
        hints.of(rf"(?:{_PHONE_WORDS}).*\d{{7}}"),
        hints.of(rf"\d{{7}}(?: ?(?:x|ext\.?|extension|#|;ext=) ?\d{{1,6}})?{_BEHIND}"),
    )
}
"""See `hints`."""
_TOLD_WITHIN = 45  # characters before the number


def find(text: str, regions: Collection[str]) -> Iterator[Span]:
    """Phone numbers: international ones, national ones of `regions`, and what is called a phone number before it.

    Without regions, international numbers alone. Digits in one run, without prefix, count only where words say so.
    """
    known = tuple(regions)
    for match in _candidates(text):
        number = match.group()
        start = match.start()
        if number.startswith("(") and ")" not in number:
            number, start = number[1:], start + 1
        if len(number) > _LONGEST:
            number = number[:_LONGEST].rpartition(" ")[0]
        score = _score(text, start, number, known)
        while not score and number.startswith(("+", "(+")) and " " in number:  # the rest is another number
            number = number.rpartition(" ")[0].rstrip(" .(/-")
            score = _score(text, start, number, known)
        if score:
            yield Span(start, start + len(number), "PHONE", score)


def _candidates(text: str) -> Iterator[re.Match[str]]:
    yield from _CANDIDATE.finditer(text)
    if "x" in text:  # an extension written right behind the number
        yield from _EXTENDED.finditer(text)


def _score(text: str, start: int, number: str, regions: tuple[str, ...]) -> float:
    main = _EXTENSION.sub("", number)
    digits = _NOT_DIGITS.sub("", main)
    if main.startswith(("+", "(+")):
        return 0.95 if len(digits) <= _MOST_DIGITS and _is_possible(main) else 0.0
    if not regions or len(digits) > _MOST_DIGITS or _DATE.search(main):
        return 0.0
    told = _told(text, start)
    if told == "other" and main.startswith(("0", "(0")) and len(_DIGITS.findall(main)) > 2:
        told = None  # set out as no order number is
    if told == "other":
        return 0.0
    if told == "phone" or _TOLD_BEHIND.match(text, start + len(number)):
        return 0.9
    if _MADE_UP.fullmatch(main) or ("US" in regions and _NORTH_AMERICAN.fullmatch(main)):
        return 0.85
    return 0.8 if _is_set_out(main, text[start + len(number) :][:4]) and _is_national(main, regions) else 0.0


def _is_set_out(number: str, behind: str) -> bool:
    """Whether a national number looks like one: with a 0 in front or in three groups, and no amount or house number."""
    groups = len(_DIGITS.findall(number))
    has_trunk = number.startswith(("0", "(0"))
    if _DECIMAL.fullmatch(number) or (groups == 1 and not has_trunk):
        return False
    if groups == 2 and (not has_trunk or _STREET_BEHIND.match(behind)):
        return False
    is_amount = _AMOUNT.fullmatch(number) is not None and not has_trunk
    return not is_amount or len(_NOT_DIGITS.sub("", number)) == 9


def _told(text: str, start: int) -> str | None:
    """What the last word before the number that tells anything says of it."""
    window = text[max(start - _TOLD_WITHIN - 1, 0) : start]
    first = len(window) - min(start, _TOLD_WITHIN)
    # Letters of any case are a third of the speed; beyond ASCII, small letters are not all that `re` takes for equal.
    matches = _TOLD_IN_SMALL.finditer(window.lower(), first) if window.isascii() else _TOLD.finditer(window, first)
    told = [match.lastgroup for match in matches]
    return told[-1] if told else None


@lru_cache(maxsize=4096)
def _is_possible(number: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number.lstrip("("), None))
    except phonenumbers.NumberParseException:
        return False


@lru_cache(maxsize=4096)
def _is_national(number: str, regions: tuple[str, ...]) -> bool:
    for region in regions:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(parsed):
            return True
    return False
