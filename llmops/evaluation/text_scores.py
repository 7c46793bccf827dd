"""How much of a reference answer's wording a generated answer has: token F1 and ROUGE-L, in any script."""

import unicodedata
from collections import Counter

from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer

_ARTICLES = {"a", "an", "the"}
_WRITTEN_WITHOUT_SPACES = (
    "CJK UNIFIED",
    "CJK COMPATIBILITY",
    "HIRAGANA",
    "KATAKANA",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
)


def token_f1(reference: str, answer: str) -> float:
    """Harmonic mean of precision and recall over words, counted with multiplicity; from 0 to 1.

    Words as in SQuAD's evaluation script (Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250): lower case, no
    punctuation, no English articles. Two texts without words agree, one alone does not.
    """
    expected, found = (_squad_words(text) for text in (reference, answer))
    if not expected or not found:
        return float(expected == found)
    shared = sum((Counter(expected) & Counter(found)).values())
    return 2 * shared / (len(expected) + len(found))


def rouge_l(reference: str, answer: str) -> float:
    """F-measure of ROUGE-L (Lin 2004): the longest common subsequence of words; from 0 to 1."""
    return float(_ROUGE.score(reference, answer)["rougeL"].fmeasure)


class _AnyScript(Tokenizer):  # type: ignore[misc] # rouge_score has no types
    """Words in any script. On ASCII it equals rouge_score's default, which drops every other letter."""

    def tokenize(self, text: str) -> list[str]:
        return _spell(text, punctuation=" ").split()


_ROUGE = RougeScorer(["rougeL"], tokenizer=_AnyScript())


def _squad_words(text: str) -> list[str]:
    return [word for word in _spell(text, punctuation="").split() if word not in _ARTICLES]


def _spell(text: str, *, punctuation: str) -> str:
    """Lower-case text with punctuation and symbols replaced; scripts without spaces become one word a character."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(_replace(character, punctuation) for character in folded)


def _replace(character: str, punctuation: str) -> str:
    kind = unicodedata.category(character)[0]  # Letter, Mark, Number, Punctuation, Symbol, Z (separators), C (control)
    if kind in "PS":
        return punctuation
    if kind in "ZC":
        return " "
    spaced = not character.isascii() and unicodedata.name(character, "").startswith(_WRITTEN_WITHOUT_SPACES)
    return f" {character} " if spaced else character
