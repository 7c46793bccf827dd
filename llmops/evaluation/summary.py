"""From scores of single examples to figures with intervals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Figures = dict[str, dict[str, float]]
_Values = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """How one model did on one example. Numbers only: no text."""

    row_id: str
    loss: float
    """Negative log likelihood of the reference answer and its end token, in nats."""
    answer_tokens: int
    """Tokens that the loss sums over."""
    token_f1: float | None = None
    """None for examples that were not answered in full."""
    rouge_l: float | None = None


def summarise(scores: Sequence[Score], *, resamples: int, seed: int) -> Figures:
    """`value` and 95 % interval (`low`, `high`) of perplexity, token F1 and ROUGE-L.

    Perplexity counts every answer token alike, the others every example. Intervals are percentiles over bootstrap
    samples of examples, the same samples for every model that is given the same examples and seed.
    """
    losses = _column([score.loss for score in scores])
    tokens = _column([score.answer_tokens for score in scores])
    answered = [score for score in scores if score.token_f1 is not None]
    token_f1 = _column([score.token_f1 for score in answered])
    rouge = _column([score.rouge_l for score in answered])
    draws = np.random.default_rng(seed)
    chosen = draws.integers(len(scores), size=(resamples, len(scores)))
    chosen_answered = draws.integers(len(answered), size=(resamples, len(answered)))
    return {
        "perplexity": _interval(lambda at: np.exp(losses[at].sum(-1) / tokens[at].sum(-1)), len(scores), chosen),
        "token_f1": _interval(lambda at: token_f1[at].mean(-1), len(answered), chosen_answered),
        "rouge_l": _interval(lambda at: rouge[at].mean(-1), len(answered), chosen_answered),
    }


def _interval(
    statistic: Callable[[NDArray[np.int64]], _Values], examples: int, chosen: NDArray[np.int64]
) -> dict[str, float]:
    """The statistic on all examples and its percentiles over `chosen`, int64 [resamples, examples]."""
    low, high = np.percentile(statistic(chosen), [2.5, 97.5])
    return {"value": float(statistic(np.arange(examples))), "low": float(low), "high": float(high)}


def _column(values: Sequence[float | None]) -> _Values:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
