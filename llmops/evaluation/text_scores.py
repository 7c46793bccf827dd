"""How much of a reference's wording an answer has: exact match, token F1, ROUGE, chrF, BLEU; in any script."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

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


def count_words(text: str) -> int:
    """Words as ROUGE counts them."""
    return len(_spell(text, punctuation=" ").split())


def exact_match(reference: str, answer: str) -> float:
    """1 where the words agree, in the sense and order of `token_f1`'s words, else 0."""
    return float(_squad_words(reference) == _squad_words(answer))


def rouge(reference: str, answer: str) -> dict[str, float]:
    """F-measures of ROUGE-1, -2 and -L (Lin 2004): words, pairs of words, longest common subsequence; from 0 to 1."""
    found = _ROUGE.score(reference, answer)
    return {
        "rouge_1": float(found["rouge1"].fmeasure),
        "rouge_2": float(found["rouge2"].fmeasure),
        "rouge_l": float(found["rougeL"].fmeasure),
    }


def rouge_l(reference: str, answer: str) -> float:
    """F-measure of ROUGE-L alone."""
    return rouge(reference, answer)["rouge_l"]


def chrf(references: Sequence[str], answer: str) -> float:
    """chrF2 (Popovic 2015) of one answer by sacrebleu: n-grams of characters; from 0 to 100."""
    return float(_CHRF.sentence_score(answer, list(references)).score)


def bleu_counts(references: Sequence[str], answer: str) -> list[int]:
    """What BLEU sums over a corpus: matches and n-grams of 1 to 4 words (four each), words answered, words expected."""
    found = _BLEU.sentence_score(answer, list(references))
    return [*found.counts, *found.totals, found.sys_len, found.ref_len]


def bleu_of_counts(counts: Sequence[int]) -> float:
    """BLEU (Papineni et al. 2002) by sacrebleu with its defaults, of `bleu_counts` added up; from 0 to 100."""
    matches, totals, (answered, expected) = counts[:4], counts[4:8], counts[8:]
    return float(BLEU.compute_bleu(list(matches), list(totals), answered, expected, smooth_method="exp").score)


class _AnyScript(Tokenizer):  # type: ignore[misc] # rouge_score has no types
    """Words in any script. On ASCII it equals rouge_score's default, which drops every other letter."""

    def tokenize(self, text: str) -> list[str]:
        return _spell(text, punctuation=" ").split()


_ROUGE = RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=_AnyScript())
_BLEU = BLEU(effective_order=True)  # changes a sentence's own score only, which is not used
_CHRF = CHRF()


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
