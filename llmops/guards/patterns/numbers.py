"""Payment cards and IBANs."""

import re
from collections.abc import Iterator

import stdnum.ean
import stdnum.iban
import stdnum.luhn

from llmops.guards.spans import Span

_RUN = re.compile(r"\d(?:[^A-Za-z\d\n]{0,4}\d)*+")
FEWEST_DIGITS = 2
"""Digits together that any number of a person has at least: an Italian tax code has two, between letters."""
_DIGITS = re.compile(r"\d+")
# Chains of digits that could hold a card: no shorter ones are looked at.
_CHAIN = re.compile(r"(?<!\d)\d+(?:[ ./_-]\d+)*+")
CARD_DIGITS = range(12, 20)
"""Digits that a card number may have."""
# Issuer prefixes and lengths: ISO/IEC 7812, as listed by the card networks.
_ISSUER = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[0689]\d{12}|6(?:011|4\d\d|5\d\d|2\d\d)\d{12}"
    r"|35\d{14}|(?:2131|1800)\d{11}"
)
_IN_ONE_OR_AS_PRINTED = re.compile(
    r"\d+|\d{4}(?:\D\d{4}){2,3}(?:\D\d{2,3})?|\d{4}\D\d{6}\D\d{4,5}|\d{8}\D\d{8}"  # fours, 4-6-4, 4-6-5, halves
)
_EVENLY_SPLIT = re.compile(r"\d{1,12}(\D)\d{1,12}(?:\1\d{1,12})*")
_LONG_FRACTION = re.compile(r"\d\.\d{9}")
# Said of what stands behind it; a number that is written like a card's is one then, with a digit mistyped or not.
_CARD_WORD = re.compile(
    r"(?:(?:credit|debit|bank|visa|master|payment)[ -]?card|\bvisa|mastercard|maestro|amex|american express|discover"
    r"|card (?:number|no\b|nr|#|ending)|kreditkarte|\bcc\b|carte (?:bancaire|de crédit)|tarjeta|cartão|kredittkort"
    r"|\bcard)"
    r"[\w ,'’():#.=-]{0,25}$",
    re.IGNORECASE,
)
_SAID_FORM = re.compile(r"\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}|3[47]\d\d([ -]?)\d{6}\2\d{5}")
# Ahead only, so that a match does not use up the text that another one starts in.
_IBAN = re.compile(r"(?<!\w)(?=([A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30})(?!\w))", re.IGNORECASE)
_IBAN_WORD = re.compile(r"\biban\b[\w :#.=-]{0,20}$", re.IGNORECASE)
_LEADING_DIGITS = re.compile(r"\S+(?: (?=\S*\d)\S+)*")
_SHORTEST_IBAN = 15  # characters: Norway's
_WORD = re.compile(r"\S+")
HINTS = {"CARD": (r"\d(?:[ ./_-]?\d){11}",), "IBAN": (r"(?i)[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11}",)}
"""See `hints`."""


def most_digits(text: str) -> int:
    """The most digits that stand together, signs and spaces between them aside; 0 without any."""
    return max((sum(map(str.isdigit, run)) for run in _RUN.findall(text)), default=0)


def cards(text: str) -> Iterator[Span]:
    """Cards that begin and end with a group of digits, whatever else is written beside them.

    A run of digits is never cut. Groups are put together where they have the form in which cards are printed; in any
    other even form only if no more digits adjoin.
    """
    for chain in _CHAIN.finditer(text):
        if chain.end() - chain.start() < CARD_DIGITS[0]:
            continue
        groups = [match.span() for match in _DIGITS.finditer(text, *chain.span())]
        for first, (start, _) in enumerate(groups):
            digits = ""
            for group_start, end in groups[first : first + CARD_DIGITS[-1]]:
                digits += text[group_start:end]
                if len(digits) > CARD_DIGITS[-1]:
                    break
                if len(digits) >= CARD_DIGITS[0]:
                    score = _score(text, start, end, digits, is_alone=(start, end) == chain.span())
                    if score:
                        yield Span(start, end, "CARD", score)


def ibans(text: str) -> Iterator[Span]:
    """IBANs of a valid country, length and checksum; a following word is not taken for part of the number.

    Behind the word IBAN the checksum may be wrong: whoever mistypes theirs is known by it all the same.
    """
    for match in _IBAN.finditer(text):
        ends = [word.end() for word in _WORD.finditer(match[1])]
        valid = next((end for end in reversed(ends) if stdnum.iban.is_valid(match[1][:end])), None)
        if valid:
            yield Span(match.start(), match.start() + valid, "IBAN")
        elif _IBAN_WORD.search(text, max(match.start() - 30, 0), match.start()):
            with_digits = _LEADING_DIGITS.match(match[1])
            if with_digits and with_digits.end() >= _SHORTEST_IBAN:
                yield Span(match.start(), match.start() + with_digits.end(), "IBAN", 0.8)


def _score(text: str, start: int, end: int, digits: str, *, is_alone: bool) -> float:
    """1 for a number that some network issues, less where only words say that it is a card, 0 for no card."""
    if _is_card(digits) and _is_one_number(text, start, end, is_alone=is_alone):
        return 1.0
    if not is_alone or not _CARD_WORD.search(text, max(start - 60, 0), start):
        return 0.0
    if _SAID_FORM.fullmatch(text, start, end):
        return 0.9 if stdnum.luhn.is_valid(digits) else 0.7
    return 0.9 if _IN_ONE_OR_AS_PRINTED.fullmatch(text, start, end) and stdnum.luhn.is_valid(digits) else 0.0


def _is_card(digits: str) -> bool:
    """Whether issuer, length and checksum fit; 13 digits that are also a valid EAN are one: no such cards are left."""
    is_issued = _ISSUER.fullmatch(digits) is not None
    return is_issued and stdnum.luhn.is_valid(digits) and not (len(digits) == 13 and stdnum.ean.is_valid(digits))


def _is_one_number(text: str, start: int, end: int, *, is_alone: bool) -> bool:
    if text[start - 1 : start] == "+" or _LONG_FRACTION.search(text, max(start - 2, 0), end):
        return False
    forms = (_IN_ONE_OR_AS_PRINTED, _EVENLY_SPLIT) if is_alone else (_IN_ONE_OR_AS_PRINTED,)
    return any(form.fullmatch(text, start, end) for form in forms)
