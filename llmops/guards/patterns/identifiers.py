"""Numbers that states give to people, by form and checksum (python-stdnum), and addresses of crypto wallets.

A number whose checksum lets more than one in some hundred others pass counts only behind a word that says what it is:
order numbers would be taken for it otherwise.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

import stdnum.bitcoin
from stdnum.au import tfn
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.cn import ric
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs, utr
from stdnum.gr import amka
from stdnum.ie import pps
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.kr import rrn
from stdnum.mx import curp, rfc
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.pt import nif
from stdnum.ro import cnp
from stdnum.se import personnummer
from stdnum.tr import tckimlik
from stdnum.us import itin
from stdnum.us import ssn as us_ssn
from stdnum.za import idnr as za_id

from llmops.guards.patterns import hints
from llmops.guards.spans import Span


@dataclass(frozen=True, slots=True)
class _Kind:
    form: str
    pattern: re.Pattern[str]
    """The form with nothing beside it that would make it part of something else."""
    is_valid: Callable[[str], bool]
    needs_word: bool


def _kind(form: str, is_valid: Callable[[str], bool], *, needs_word: bool = True) -> _Kind:
    pattern = re.compile(rf"(?<![\w.-]){form}(?![\w-]|\.\d)", re.IGNORECASE)
    return _Kind(form, pattern, is_valid, needs_word)


def _is_chinese(number: str) -> bool:
    """As `ric.is_valid`, which raises `KeyError` for a county that is in none of its lists, of a province that is."""
    try:
        return ric.is_valid(number)
    except KeyError:
        return False


# By what they are made of, so that a text is searched once per form.
_WITH_LETTERS = (
    _kind(r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", codicefiscale.is_valid, needs_word=False),
    _kind(r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d", curp.is_valid, needs_word=False),
    _kind(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", lambda _: True, needs_word=False),  # NINO
    _kind(r"(?:\d{8}|\d\d\.\d{3}\.\d{3})-?[A-Z]", dni.is_valid),
    _kind(r"[XYZ]-?\d{7}-?[A-Z]", nie.is_valid, needs_word=False),
    _kind(r"[A-Z]{3}[PCHABGJLFT][A-Z]\d{4}[A-Z]", pan.is_valid),
    _kind(r"[A-ZÑ&]{3,4}\d{6}[A-Z0-9]{3}", rfc.is_valid),
    _kind(r"\d{7}[A-W][A-IW]?", pps.is_valid),
    _kind(r"\d{6}[-+A]\d{3}[0-9A-Y]", hetu.is_valid, needs_word=False),
    _kind(r"\d{17}X", _is_chinese, needs_word=False),
    _kind(r"[12]\d{4}2[AB]\d{8}", nir.is_valid, needs_word=False),
)
_OF_DIGITS = (
    _kind(r"\d{3}\.\d{3}\.\d{3}-\d\d", cpf.is_valid, needs_word=False),
    _kind(r"\d{11}", cpf.is_valid),
    _kind(r"[12] ?\d\d ?\d\d ?\d\d ?\d{3} ?\d{3} ?\d\d", nir.is_valid, needs_word=False),
    _kind(r"756\.?\d{4}\.?\d{4}\.?\d\d", ahv.is_valid, needs_word=False),
    _kind(r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", nn.is_valid, needs_word=False),
    _kind(r"\d{11}", nn.is_valid),
    _kind(r"(?:\d\d)?\d{6}[-+]\d{4}", personnummer.is_valid, needs_word=False),
    _kind(r"(?:\d\d)?\d{10}", personnummer.is_valid),
    _kind(r"\d{6} ?\d{5}", fodselsnummer.is_valid, needs_word=False),
    _kind(r"[1-9]\d{17}", _is_chinese, needs_word=False),
    _kind(r"\d{6}-[1-8]\d{6}", rrn.is_valid, needs_word=False),
    _kind(r"\d{6}-?\d{4}", cpr.is_valid),
    _kind(r"\d{11}", pesel.is_valid),
    _kind(r"\d\d ?\d{3} ?\d{3} ?\d{3}", idnr.is_valid),
    _kind(r"\d{9}", bsn.is_valid),
    _kind(r"\d{4}[ -]?\d{4}[ -]?\d{4}", aadhaar.is_valid),
    _kind(r"\d{3}[ -]?\d{3}[ -]?\d{4}", nhs.is_valid),
    _kind(r"\d{10}", utr.is_valid),
    _kind(r"\d{3}[ -]?\d{3}[ -]?\d{2,3}", tfn.is_valid),
    _kind(r"\d{3}[ -]?\d{3}[ -]?\d{3}", sin.is_valid),
    _kind(r"\d{11}", tckimlik.is_valid),
    _kind(r"\d{11}", amka.is_valid),
    _kind(r"\d{13}", cnp.is_valid),
    _kind(r"\d{13}", za_id.is_valid),
    _kind(r"\d{9}", nif.is_valid),
)
# No text without one of these holds a number of the two kinds: looked for first, since most texts have neither.
_LETTER_AFTER_DIGIT = re.compile(r"\d[+-]?[A-Za-z]|\d [A-Da-d]\b|\d[-+]\d{3}|[A-Za-z&]\d{6}")
_LETTERS_AND_DIGITS = re.compile(
    r"(?<![^\W_])(?:(?=[^\W_]{8})(?:\d+[^\W\d_]|[^\W\d_]+\d)|[A-Za-z]{2} \d\d \d\d|[XYZxyz]-?\d{7}|\d{6}[-+]\d{3}"
    r"|\d\d\.\d{3}\.\d{3}-?[A-Za-z]|\d{8}-[A-Za-z])"
)
_FEWEST_IN_A_ROW = 9
_LONG_RUN = re.compile(r"\d(?:[ .-]?\d){8}")
_SSN = re.compile(r"(?<![\w.-])(?!000|666)[0-9]\d\d([- .])(?!00)\d\d\1(?!0000)\d{4}(?![\w-]|\.\d)")
_SSN_WORD = re.compile(
    r"(?:\bssn\b|social[ -]?security|soc\.? ?sec|\bss ?(?:#|no|number)|\bitin\b|sozialversicherung\w*|sécurité sociale"
    r"|seguridad social)[\w ,'’\"():#.=/-]{0,30}?(?<![\d.-])(\d(?:[ .-]?\d){7,12})(?![\w-]|\.\d)",
    re.IGNORECASE,
)
_ID_WORD = re.compile(
    r"national (?:id|insurance|identi\w+)|\bid(?:entity|entification)? ?(?:card|number|no\b|nr|#|code)"
    r"|\btax(?:payer)?\b"
    r"|\btin\b|\bnif\b|\bdni\b|\bnie\b|\bcpf\b|\bbsn\b|pesel|person(?:al)?n?umm?er|personal (?:number|identity|id)"
    r"|fødselsn|fodselsn|\bcpr\b|\bnhs\b|aadh?aar|\buid\b|\bpan\b|\btfn\b|\bsin\b|social insurance|steuer"
    r"|identifikation"
    r"|\bnino\b|ni number|\bpps|\brfc\b|\bcurp\b|\bcnp\b|\bamka\b|kimlik|\bahv\b|insee|\butr\b|burgerservice"
    r"|rijksregister"
    r"|personnummer|henkilötunnus|codice fiscale|numéro de sécu|numero de identi|\bnin\b|\bssn\b|social security",
    re.IGNORECASE,
)
_SAID_WITHIN = 60  # characters before the number
_LONG_WORD = re.compile(r"\w{26}")
_WALLET = re.compile(r"(?<!\w)(?:bc1[a-z0-9]{25,62}|[13][1-9A-HJ-NP-Za-km-z]{25,34}|0x[0-9a-fA-F]{40})(?!\w)")


def _forms(*, needing_word: bool) -> str:
    return "|".join(kind.form for kind in _WITH_LETTERS + _OF_DIGITS if kind.needs_word == needing_word)


HINTS = {
    "SSN": (r"\d{3}-\d\d-\d{4}", hints.of(_SSN_WORD.pattern)),
    "NATIONAL_ID": (
        hints.of(_forms(needing_word=False)),
        hints.of(f"(?:{_ID_WORD.pattern}).*(?:{_forms(needing_word=True)})"),
    ),
    "CRYPTO": (r"[A-Za-z0-9]{26}",),
}
"""See `hints`."""


def find(text: str, digits: int, types: Collection[str]) -> Iterator[Span]:
    """Of `types`, social security numbers of the United States (and what is called one), and other countries' numbers.

    `digits` is the most that stand together in the text.
    """
    has_long_run = digits >= _FEWEST_IN_A_ROW and _LONG_RUN.search(text) is not None
    if "SSN" in types and has_long_run:
        yield from _social_security(text)
    if "NATIONAL_ID" not in types:
        return
    kinds: tuple[_Kind, ...] = ()
    if _LETTER_AFTER_DIGIT.search(text) and _LETTERS_AND_DIGITS.search(text):
        kinds += _WITH_LETTERS
    if has_long_run:
        kinds += _OF_DIGITS
    for kind in kinds:
        for match in kind.pattern.finditer(text):
            is_said = _ID_WORD.search(text, max(match.start() - _SAID_WITHIN, 0), match.start()) is not None
            if (is_said or not kind.needs_word) and _passes(kind.is_valid, match.group()):
                yield Span(match.start(), match.end(), "NATIONAL_ID", 0.95 if is_said else 0.9)


def wallets(text: str) -> Iterator[Span]:
    """Addresses of Bitcoin (by their checksum) and of Ethereum (by their form)."""
    if _LONG_WORD.search(text):
        for match in _WALLET.finditer(text):
            if match.group().startswith("0x") or _passes(stdnum.bitcoin.is_valid, match.group()):
                yield Span(match.start(), match.end(), "CRYPTO", 0.95)


def _social_security(text: str) -> Iterator[Span]:
    for match in _SSN.finditer(text):
        if match[1] == "-" and (us_ssn.is_valid(match.group()) or itin.is_valid(match.group())):
            yield Span(match.start(), match.end(), "SSN", 0.9)
    for match in _SSN_WORD.finditer(text):
        yield Span(match.start(1), match.end(1), "SSN", 0.9)


@lru_cache(maxsize=4096)
def _passes(is_valid: Callable[[str], bool], number: str) -> bool:
    return is_valid(number.replace(" ", "") if number.isascii() else number)
