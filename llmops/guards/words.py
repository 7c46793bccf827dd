"""Words of a text, and numbers that tell a linear model about each of them and its neighbours."""

import re
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(
    r"<[A-Z_]{2,}(?::[0-9a-f]{16})?>|(?:https?://|www\.)[^\s<>\"]+|[\w.+%-]{1,64}+@[\w.-]+|"
    r"[^\W\d_]+(?:['’-](?![sS]\b)[^\W\d_]+)*|\d+(?:(?!https?:)[^\W_])*(?:[-/]\d+[^\W_]*)*|\n|[^\w\s]|_+"
)
_ADDRESS_OF_MACHINES = re.compile(r"https?://|www\.|[^@\s]+@.")
LISTS = ("first", "last", "city", "region", "street", "title", "common", "unit", "company")
"""Word lists that a word may be in; the first four and `common` come with the weights, the rest stand here."""
_STREETS = """
    street st avenue ave av road rd lane ln drive dr boulevard blvd blvd court ct place pl square sq terrace way highway
    hwy parkway pkwy circle cir crescent close grove mews gardens row walk trail route alley loop plaza turnpike strasse
    straße str gasse weg platz allee ring damm ufer rue chemin impasse quai cours via viale piazza corso vicolo calle
    avenida avda plaza paseo carrera camino rua travessa largo praça ulica ul ulice nám aleja plac straat laan weg plein
    gracht kade gata gatan vägen vej vejen gade vei veien gate tie katu kuja polku utca út tér körút strada bulevardul
    cadde sokak caddesi sokağı jalan jl marg nagar chowk
""".split()
_STREET_ENDS = (
    *(
        "straße",
        "strasse",
        "str",
        "gasse",
        "weg",
        "platz",
        "allee",
        "ufer",
        "damm",
        "straat",
        "laan",
        "plein",
        "gracht",
    ),
    *("gata", "gatan", "vägen", "vagen", "vej", "vejen", "gade", "vei", "veien", "veg", "tie", "katu", "kuja", "polku"),
    *("gaten", "stien", "kade", "dijk", "singel", "gränd", "torget", "plads", "allé", "utca"),
)
_TITLES = """
    mr mrs ms miss mx dr prof professor sir madam herr frau fru hr señor señora sr sra srta monsieur madame mme m mlle
    signor signora sig dott ing captain capt judge rev reverend sister brother aunt uncle
""".split()
_UNITS = """
    apt apartment suite ste unit flat floor fl room building bldg block po box p.o postfach bp piso étage etage lot
    house bâtiment appt app door stock stiege level tower postbus postboks postbox psc
""".split()
_COMPANIES = (
    "inc ltd llc corp gmbh ag plc co company group bank sa sas bv oy ab as partners associates holdings sons".split()
)
_BIT = {name: 1 << place for place, name in enumerate(LISTS)}
_FIXED: dict[str, int] = {}
for _name, _words in (("street", _STREETS), ("title", _TITLES), ("unit", _UNITS), ("company", _COMPANIES)):
    for _word in _words:
        _FIXED[_word] = _FIXED.get(_word, 0) | _BIT[_name]

# What is said of one word: columns of `describe`.
_SELF, _SHAPE, _END, _BEGIN, _LISTED, _SHORT_END, _MODE, _NONE = range(8)
_COLUMNS = 8
_REACH = 3
# (offset, column) of up to three words that a feature tells of together.
_TEMPLATES: tuple[tuple[tuple[int, int], ...], ...] = (
    *(((offset, _SELF),) for offset in range(-3, 4)),
    *(((offset, _SHAPE),) for offset in range(-2, 3)),
    *(((offset, _LISTED),) for offset in range(-2, 3)),
    *(((offset, _END),) for offset in range(-1, 2)),
    ((0, _BEGIN),),
    ((0, _SHORT_END),),
    ((-1, _SELF), (0, _SELF)),
    ((0, _SELF), (1, _SELF)),
    ((-1, _LISTED), (0, _LISTED)),
    ((0, _LISTED), (1, _LISTED)),
    ((-1, _LISTED), (0, _LISTED), (1, _LISTED)),
    ((0, _LISTED), (1, _LISTED), (2, _LISTED)),
    ((-2, _LISTED), (-1, _LISTED), (0, _LISTED)),
    ((-1, _SHAPE), (0, _SHAPE), (1, _SHAPE)),
    ((0, _SHAPE), (1, _SHAPE), (2, _SHAPE)),
    ((-2, _SHAPE), (-1, _SHAPE), (0, _SHAPE)),
    ((-1, _SELF), (0, _LISTED)),
    ((-1, _SELF), (0, _SHAPE)),
    ((-1, _SELF), (0, _SHAPE), (0, _LISTED)),
    ((0, _LISTED), (1, _SELF)),
    ((0, _SHAPE), (1, _SELF)),
    ((-2, _SELF), (-1, _SELF)),
    ((-2, _SELF), (-1, _SELF), (0, _LISTED)),
    ((-2, _SELF), (-1, _SELF), (0, _SHAPE)),
    ((0, _LISTED), (0, _SHAPE)),
    ((0, _LISTED), (0, _SHAPE), (0, _MODE)),
    ((0, _END), (0, _SHAPE)),
    ((-1, _SELF), (1, _SELF)),
    ((-1, _SELF), (0, _LISTED), (1, _SELF)),
)
FEATURES = len(_TEMPLATES)


def _parts(place: int) -> NDArray[np.intp]:
    """Where the part at `place` of each template is, from the first column of the word `_REACH` before."""
    found = [template[place] if place < len(template) else (0, _NONE) for template in _TEMPLATES]
    return np.array([(offset + _REACH) * _COLUMNS + column for offset, column in found], np.intp)


_FIRST, _SECOND, _THIRD = (_parts(place) for place in range(3))
_SALT = np.array([zlib.crc32(repr(template).encode()) for template in _TEMPLATES], np.uint32)


def split(text: str) -> list[tuple[int, int]]:
    """Start and end of each word, number, sign and line break of a text."""
    return [match.span() for match in _WORD.finditer(text)]


def is_word(word: str) -> bool:
    """Whether a word may be part of a name or an address: not a placeholder, a link or an e-mail address."""
    return not (len(word) > 2 and (word.startswith("<") or _ADDRESS_OF_MACHINES.match(word)))


def code(word: str) -> int:
    """The number that word lists know a word by: CRC-32 of it in lower case."""
    return zlib.crc32(word.lower().encode("utf-8", "surrogatepass"))


class Describer:
    """Tells of words, given word lists (`LISTS` → codes of their words)."""

    def __init__(self, lists: Mapping[str, Sequence[int]]) -> None:
        self._bits: dict[int, int] = {}
        for name, codes in lists.items():
            for number in codes:
                self._bits[number] = self._bits.get(number, 0) | _BIT[name]
        self._describe = lru_cache(maxsize=50_000)(self._describe_anew)

    def features(self, words: Sequence[str], buckets: int) -> NDArray[np.uint32]:
        """uint32 [words, FEATURES]: places in a table of `buckets` (a power of two) rows."""
        letters = "".join(words)
        mode = 1 if letters.islower() else 2 if letters.isupper() else 3
        table = np.zeros((len(words) + 2 * _REACH, _COLUMNS), np.uint32)
        table[_REACH:-_REACH, :_MODE] = [self._describe(word) for word in words]
        table[:, _MODE] = mode
        flat = table.ravel()
        rows = (np.arange(len(words)) * _COLUMNS)[:, None]
        mixed = flat[rows + _FIRST] * np.uint32(0x9E3779B1) + _SALT
        mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(0x85EBCA77) + flat[rows + _SECOND]
        mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE3D) + flat[rows + _THIRD]
        mixed = (mixed ^ (mixed >> np.uint32(16))) * np.uint32(0x27D4EB2F)
        places: NDArray[np.uint32] = (mixed ^ (mixed >> np.uint32(15))) & np.uint32(buckets - 1)
        return places

    def is_on_a_name_list(self, word: str) -> bool:
        """Whether somebody is called so, by the lists."""
        return bool(self.listed(word) & (_BIT["first"] | _BIT["last"]))

    def listed(self, word: str) -> int:
        """The lists that a word is in, as bits in the order of `LISTS`."""
        lowered = word.lower()
        bits = self._bits.get(zlib.crc32(lowered.encode("utf-8", "surrogatepass")), 0) | _FIXED.get(lowered, 0)
        if not bits & _BIT["street"] and len(lowered) > 6 and lowered.endswith(_STREET_ENDS):
            bits |= _BIT["street"]
        if "-" in lowered and not bits:
            for part in lowered.split("-"):
                bits |= self._bits.get(zlib.crc32(part.encode("utf-8", "surrogatepass")), 0)
        return bits

    def _describe_anew(self, word: str) -> tuple[int, ...]:
        if _ADDRESS_OF_MACHINES.match(word):
            word = "http"
        lowered = word.lower()
        values = (lowered, _shape(word), lowered[-3:], lowered[:3], f"\x00{self.listed(word)}", lowered[-2:])
        return tuple(
            zlib.crc32(f"{place}{value}".encode("utf-8", "surrogatepass")) for place, value in enumerate(values)
        )


def _shape(word: str) -> str:
    """`Xx` for Anna, `dddd` for 2026 (to five digits), the sign itself for signs."""
    kinds = "".join(
        "d" if character.isdigit() else "x" if character.islower() else "X" if character.isalpha() else character
        for character in word[:12]
    )
    short = re.sub(r"([xX])\1+", r"\1\1" if len(word) < 4 else r"\1", kinds)
    return re.sub(r"d{6,}", "dddddd", short)
