"""A normalised view of a text that remembers where each of its characters came from."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
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
    if text.isascii() and not _CONTROL.search(text):
        return View(text, range(len(text)))
    plain = text.translate(_PLAIN)
    if _PLAIN.irregular.isdisjoint(text):
        return View(plain, range(len(text)))
    origins: list[int] = []
    for offset, character in enumerate(text):
        origins.extend([offset] * len(_PLAIN[ord(character)]))
    return View(plain, origins)


def folded(text: str) -> str:
    """The text of `normalised`, in lower case and without accents; many times as fast, since it keeps no offsets."""
    return text.translate(_FOLDED)


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


class _Plain(dict[int, str]):
    """For `str.translate`: what each code point that has come up is in plain form."""

    def __init__(self) -> None:
        super().__init__()
        self.irregular: set[str] = set()
        """Those characters that become none or several."""

    def __missing__(self, codepoint: int) -> str:
        self[codepoint] = _plain(chr(codepoint))
        if len(self[codepoint]) != 1:
            self.irregular.add(chr(codepoint))
        return self[codepoint]


class _Folded(dict[int, str]):
    """For `str.translate`: what each code point that has come up becomes."""

    def __missing__(self, codepoint: int) -> str:
        parts = unicodedata.normalize("NFKD", _plain(chr(codepoint)).lower())
        self[codepoint] = "".join(
            part for part in parts if unicodedata.category(part) not in _INVISIBLE or part == "\n"
        )
        return self[codepoint]


_PLAIN = _Plain()
_FOLDED = _Folded()
