"""Tests of two models on the same prompts: whether one is better, and whether it is no worse than by a margin.

Everything here is about differences, one for each prompt, such that more is better for the candidate. `weights` says
how much of a prompt counts: 1 for a mean over answers, tokens for a mean over tokens. See docs/adr/0015.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]
POWER = 0.8
"""The power that `examples_needed` is about."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a test found, on the scale of the differences."""

    n: int
    """Prompts."""
    effect: float
    """Weighted mean of the differences; above 0 the candidate is better."""
    low: float
    high: float
    """Ends of the two-sided interval of confidence 1 - 2 alpha, whose lower end is the one-sided bound."""
    p: float
    """Of a difference this good, or better, where the candidate is equal (superiority) or just at the margin."""
    power: float
    """Chance to pass if the true effect is as stated (superiority) or nil (non-inferiority)."""
    examples_needed: int | None
    """Prompts for a power of 0.8, if they differ as these do; None if none suffice."""


def judge_superiority(
    own: Values, other: Values, weights: Values, *, alpha: float, least: float, target: float, resamples: int, seed: int
) -> Finding:
    """Whether `own`, float64 [prompts], is above `other` by more than chance.

    p is that of a permutation test that swaps the two models' values within prompts: exact where the models are equal,
    whatever the values look like. `least` is the effect that is asked for besides, `target` the one that the power is
    stated for.
    """
    found = stats.permutation_test(
        (own, other),
        lambda left, right, axis: (left - right).sum(axis=axis),
        permutation_type="samples",
        alternative="greater",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    )
    effect, error = _estimate(own - other, weights)
    quantile = float(stats.t.isf(alpha, len(own) - 1))
    hurdle = max(quantile * error, least)
    scatter = error * math.sqrt(len(own))
    reach = [_needed(stats.norm.isf(alpha) + stats.norm.ppf(POWER), scatter, target)]
    reach.append(_needed(stats.norm.ppf(POWER), scatter, target - least))
    return Finding(
        n=len(own),
        effect=effect,
        low=effect - quantile * error,
        high=effect + quantile * error,
        p=float(found.pvalue),
        power=_chance(target - hurdle, error),
        examples_needed=None if None in reach else max(item for item in reach if item is not None),
    )


def judge_non_inferiority(
    own: Values, other: Values, weights: Values, *, alpha: float, margin: float, is_share: bool = False
) -> Finding:
    """Whether `own` is above `other` less the margin: a one-sided t test of the weighted mean difference.

    With `is_share` values are 0 or 1 (or 0 or -1, where less is better): few of them say little, even where all pairs
    agree, which a t test does not see. For them half a prompt is added to each of the four cells of the pairs' table
    (Agresti and Min 2005, Statistics in Medicine 24:729).
    """
    if is_share:
        effect, error = _estimate_proportions(own, other)
        freedom = math.inf  # the t distribution is then the normal one
    else:
        effect, error = _estimate(own - other, weights)
        freedom = len(own) - 1
    quantile = float(stats.t.isf(alpha, freedom))
    distance = effect + margin
    p = float(stats.t.sf(distance / error, freedom)) if error else float(distance <= 0)
    needed = stats.norm.isf(alpha) + stats.norm.ppf(POWER)
    return Finding(
        n=len(own),
        effect=effect,
        low=effect - quantile * error,
        high=effect + quantile * error,
        p=p,
        power=_chance(margin - quantile * error, error),
        examples_needed=_needed(needed, error * math.sqrt(len(own)), margin),
    )


def _estimate(differences: Values, weights: Values) -> tuple[float, float]:
    """The ratio of sums, and its standard error by linearisation (Cochran 1977, Sampling Techniques, section 6.3)."""
    effect = differences.sum() / weights.sum()
    residuals = (differences - effect * weights) / weights.mean()
    return float(effect), float(residuals.std(ddof=1) / math.sqrt(len(differences)))


def _estimate_proportions(own: Values, other: Values) -> tuple[float, float]:
    """Difference of two proportions on the same prompts and its standard error, with two prompts added."""
    better, worse = ((own > other).sum() + 0.5, (own < other).sum() + 0.5)
    whole = len(own) + 2
    effect = (better - worse) / whole
    variance = better + worse - (better - worse) ** 2 / whole
    return float(effect), float(math.sqrt(variance) / whole)


def _chance(distance: float, error: float) -> float:
    return float(stats.norm.cdf(distance / error)) if error else float(distance >= 0)


def _needed(quantiles: float, scatter: float, distance: float) -> int | None:
    """Prompts until `distance` is as many standard errors as `quantiles` says."""
    return max(2, math.ceil((quantiles * scatter / distance) ** 2)) if distance > 0 else None
