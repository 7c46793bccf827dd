"""From scores of single examples to figures with intervals, and the same by slice.

Every figure is a formula over sums of per-example columns: a mean is the sum of values over the number of them, BLEU a
formula over matches and lengths. So a bootstrap sample of examples is one weighted sum.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from llmops.evaluation.facts import KINDS
from llmops.evaluation.text_scores import bleu_of_counts

Figures = dict[str, dict[str, float]]
_Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AnswerScore:
    """How close an answer given in full is to the reference, and what else it is. Numbers only: no text."""

    token_f1: float | None = None
    exact_match: float | None = None
    rouge_1: float | None = None
    rouge_2: float | None = None
    rouge_l: float | None = None
    chrf: float | None = None
    bleu_counts: Sequence[int] | None = None
    """As `text_scores.bleu_counts` gives them."""
    expected_kinds: Sequence[int] | None = None
    """`facts.kinds_in` of the reference."""
    found_kinds: Sequence[int] | None = None
    """`facts.kinds_in` of the answer."""
    reading_ease: float | None = None
    words: int | None = None
    length_error: float | None = None
    """Absolute log of words answered over words expected, both plus one."""
    refused: float | None = None
    """1 where the answer declines to help, else 0."""
    guarded: float | None = None
    """1 where the output guard would change the answer, else 0."""
    empty: float | None = None
    """1 for an answer without words, else 0."""


@dataclass(frozen=True)
class Score(AnswerScore):
    """How one model did on one example; what is None was not measured on it."""

    row_id: str
    loss: float
    """Negative log likelihood of the reference answer and its end token, in nats."""
    answer_tokens: int
    """Tokens that the loss sums over."""
    choice_rank: int | None = field(default=None, kw_only=True)
    """Place of the right answer among several, from 1."""
    slices: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """Group of the example by each way to group, such as source: faq."""


@dataclass(frozen=True)
class Figure:
    """How a figure comes from scores."""

    columns: Callable[[Score], Sequence[float] | None]
    """What is summed over examples; None for an example that the figure is not about."""
    formula: Callable[[_Values], _Values]
    """From sums, float64 [samples, columns], to the figure, float64 [samples]."""


def _mean(value: Callable[[Score], float | None]) -> Figure:
    def columns(score: Score) -> Sequence[float] | None:
        found = value(score)
        return None if found is None else (found, 1.0)

    return Figure(columns, lambda sums: sums[:, 0] / sums[:, 1])


def _kinds(score: Score) -> Sequence[float] | None:
    """True positives, false positives and false negatives of each kind."""
    if score.expected_kinds is None or score.found_kinds is None:
        return None
    pairs = list(zip(score.expected_kinds, score.found_kinds, strict=True))
    counted = ([int(pair == wanted) for pair in pairs] for wanted in ((1, 1), (0, 1), (1, 0)))
    return [float(item) for part in counted for item in part]


def _f1(sums: _Values) -> tuple[_Values, _Values]:
    """F1 of each kind, 0 for one neither expected nor found (as in scikit-learn), and how often each is expected."""
    right, wrong, missed = np.split(sums, 3, axis=1)
    return _ratio(2 * right, 2 * right + wrong + missed), right + missed


def _micro(sums: _Values) -> _Values:
    right, wrong, missed = (part.sum(axis=1) for part in np.split(sums, 3, axis=1))
    return _ratio(2 * right, 2 * right + wrong + missed)


def _weighted(sums: _Values) -> _Values:
    scores, support = _f1(sums)
    return _ratio((scores * support).sum(axis=1), support.sum(axis=1))


def _ratio(part: _Values, whole: _Values) -> _Values:
    """0 where the whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0))


def _chosen_within(places: int) -> Figure:
    """Precision at K of one right answer among several: 1/K where it is among the K likeliest."""
    return _mean(lambda score: None if score.choice_rank is None else (score.choice_rank <= places) / places)


FIGURES: Mapping[str, Figure] = {
    "perplexity": Figure(lambda score: (score.loss, score.answer_tokens), lambda sums: np.exp(sums[:, 0] / sums[:, 1])),
    "token_f1": _mean(lambda score: score.token_f1),
    "exact_match": _mean(lambda score: score.exact_match),
    "rouge_1": _mean(lambda score: score.rouge_1),
    "rouge_2": _mean(lambda score: score.rouge_2),
    "rouge_l": _mean(lambda score: score.rouge_l),
    "bleu": Figure(
        lambda score: score.bleu_counts,
        lambda sums: np.array([bleu_of_counts([round(value) for value in row]) for row in sums]),
    ),
    "chrf": _mean(lambda score: score.chrf),
    "choice_accuracy": _chosen_within(1),
    "choice_precision_at_2": _chosen_within(2),
    "kinds_accuracy": _mean(
        lambda score: None if score.found_kinds is None else float(score.found_kinds == score.expected_kinds)
    ),
    "kinds_f1_micro": Figure(_kinds, _micro),
    "kinds_f1_macro": Figure(_kinds, lambda sums: _f1(sums)[0].mean(axis=1)),
    "kinds_f1_weighted": Figure(_kinds, _weighted),
    "kinds_hamming_loss": _mean(
        lambda score: (
            None
            if score.found_kinds is None or score.expected_kinds is None
            else sum(found != wanted for found, wanted in zip(score.found_kinds, score.expected_kinds, strict=True))
            / len(KINDS)
        )
    ),
    "reading_ease": _mean(lambda score: score.reading_ease),
    "words": _mean(lambda score: score.words),
    "length_error": _mean(lambda score: score.length_error),
    "refused": _mean(lambda score: score.refused),
    "guarded": _mean(lambda score: score.guarded),
    "empty": _mean(lambda score: score.empty),
}
"""Every figure of a model, by name."""

SLICED = ("perplexity", "token_f1", "rouge_l", "bleu", "choice_accuracy", "reading_ease")
"""Figures that are told by slice too."""


def summarise(
    scores: Sequence[Score], *, resamples: int, seed: int, names: Collection[str] = tuple(FIGURES)
) -> Figures:
    """`value`, 95 % interval (`low`, `high`) and number of examples (`n`) of every figure that was measured.

    Perplexity and BLEU count every word or token alike, the others every example. Intervals are percentiles over
    bootstrap samples of examples, the same samples for every model that is given the same examples and seed.
    """
    figures: Figures = {}
    for name in names:
        figure = FIGURES[name]
        found = [columns for score in scores if (columns := figure.columns(score)) is not None]
        if found:
            figures[name] = _interval(figure.formula, np.array(found, dtype=np.float64), resamples, seed)
    return figures


def summarise_slices(
    scores: Mapping[str, Sequence[Score]], *, resamples: int, seed: int
) -> dict[str, dict[str, dict[str, Figures]]]:
    """The figures of every model by way to group and group; an example may be in one group of each way."""
    ways: dict[str, set[str]] = {}
    for score in next(iter(scores.values())):
        for way, group in score.slices.items():
            ways.setdefault(way, set()).add(group)
    return {
        way: {
            group: {
                model: summarise(
                    [score for score in rows if score.slices.get(way) == group],
                    resamples=resamples,
                    seed=seed,
                    names=SLICED,
                )
                for model, rows in scores.items()
            }
            for group in sorted(groups)
        }
        for way, groups in sorted(ways.items())
    }


def _interval(formula: Callable[[_Values], _Values], columns: _Values, resamples: int, seed: int) -> dict[str, float]:
    """The figure of all examples, float64 [examples, columns], and its percentiles over samples of them."""
    low, high = np.percentile(formula(_weights(len(columns), resamples, seed) @ columns), [2.5, 97.5])
    value = float(formula(columns.sum(axis=0, keepdims=True))[0])
    return {"value": value, "low": float(low), "high": float(high), "n": len(columns)}


@lru_cache(maxsize=4)
def _weights(examples: int, resamples: int, seed: int) -> _Values:
    """How often each example is in each sample, float64 [resamples, examples]."""
    draws = np.random.default_rng(seed)
    return draws.multinomial(examples, np.full(examples, 1 / examples), size=resamples).astype(np.float64)
