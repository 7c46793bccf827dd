"""A normalised view of a text that remembers where each of its characters came from."""

import unicodedata
from dataclasses import dataclass

_INVISIBLE = {"Cc", "Cf", "Mn", "Me"}  # controls, zero-width and bidi marks, combining marks


@dataclass(frozen=True, slots=True)
class View:
    """What a reader (or a model) sees in a text, in plain forms."""

    text: str
    origins: tuple[int, ...]
    """Offset in the original text of each character of `text`."""

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that `text[start:end]` (not empty) was made from."""
        return self.origins[start], self.origins[end - 1] + 1


def normalised(text: str) -> View:
    """Compatibility forms (NFKC), plain spaces and hyphens, and nothing invisible: zero-width, control, combining.

    So a card number in full-width digits, or one split by zero-width characters, reads as a card number.
    """
    characters: list[str] = []
    origins: list[int] = []
    for offset, character in enumerate(text):
        if character.isspace():
            plain = "\n" if character == "\n" else " "
        elif (category := unicodedata.category(character)) in _INVISIBLE:
            continue
        elif category == "Pd" or character == "\u2212":
            plain = "-"
        elif category == "Nd":
            plain = str(unicodedata.digit(character))
        else:
            plain = unicodedata.normalize("NFKC", character)
        characters.append(plain)
        origins.extend([offset] * len(plain))
    return View("".join(characters), tuple(origins))
