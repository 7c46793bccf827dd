"""A normalised view of a text that remembers where each of its characters came from."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
# Beyond U+FFFF, where a look at all would cost a start 0.2 s, all but emoji (Unicode's blocks of them) may change.
_LOOKED_AT = range(0x80, 0x10000)
_BEYOND = ((0x10000, 0x1F2FF), (0x1FB00, 0x10FFFF))
_INVISIBLE = {"Cc", "Cf", "Mn", "Me"}  # controls, zero-width and bidi marks, combining marks


@dataclass(frozen=True, slots=True)
class View:
    """What a reader (or a model) sees in a text, in plain forms."""

    text: str
    origins: Sequence[int]
    """Offset in the original text of each character of `text`."""

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that `text[start:end]` (not empty) was made from."""
        return self.origins[start], self.origins[end - 1] + 1


def normalised(text: str) -> View:
    """Compatibility forms (NFKC), plain spaces and hyphens, and nothing invisible: zero-width, control, combining.

    So a card number in full-width digits, or one split by zero-width characters, reads as a card number.
    """
    changing = _CONTROL if text.isascii() else _changing()
    if not changing.search(text):
        return View(text, range(len(text)))
    pieces: list[str] = []
    origins: list[int] = []
    position = 0
    for match in changing.finditer(text):
        start, plain = match.start(), _plain(match[0])
        pieces += (text[position:start], plain)
        origins += range(position, start)
        origins += [start] * len(plain)
        position = match.end()
    return View("".join([*pieces, text[position:]]), [*origins, *range(position, len(text))])


def folded(text: str) -> str:
    """The text of `normalised`, in lower case and without accents; many times as fast, since it keeps no offsets."""
    return text.translate(_FOLDED)


@cache
def changing_ranges() -> tuple[tuple[int, int], ...]:
    """First and last code point of each range outside of which no character changes in `normalised`."""
    codes = [*range(0x0A), *range(0x0B, 0x20), 0x7F, *(code for code in _LOOKED_AT if _plain(chr(code)) != chr(code))]
    starts = [code for code, before in zip(codes, [-2, *codes], strict=False) if code != before + 1]
    ends = [code for code, behind in zip(codes, [*codes[1:], -2], strict=True) if code + 1 != behind]
    return (*zip(starts, ends, strict=True), *_BEYOND)


@cache
def _changing() -> re.Pattern[str]:
    return re.compile("[" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in changing_ranges()) + "]")


@cache
def _plain(character: str) -> str:
    if character.isspace():
        return "\n" if character == "\n" else " "
    category = unicodedata.category(character)
    if category in _INVISIBLE:
        return ""
    if category == "Pd" or character == "\u2212":
        return "-"
    if category == "Nd":
        return str(unicodedata.digit(character))
    return unicodedata.normalize("NFKC", character)


class _Folded(dict[int, str]):
    """For `str.translate`: what each code point that has come up becomes."""

    def __missing__(self, codepoint: int) -> str:
        parts = unicodedata.normalize("NFKD", _plain(chr(codepoint)).lower())
        self[codepoint] = "".join(
            part for part in parts if unicodedata.category(part) not in _INVISIBLE or part == "\n"
        )
        return self[codepoint]


_FOLDED = _Folded()
