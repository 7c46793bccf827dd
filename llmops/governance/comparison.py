"""The checks of a candidate against one rival, from the numbers of single prompts in scores.json."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from llmops.governance.config import GateConfig
from llmops.governance.paired import Finding, Values, judge_non_inferiority, judge_superiority

Row = Mapping[str, Any]
GAIN, HARM = "gain", "harm"


@dataclass(frozen=True)
class Metric:
    """One number of every prompt, turned so that more is better, and how a difference of its means is told."""

    name: str
    sign: int
    tell: Callable[[float], float] = float
    """From the scale of the test to that of the decision, such as from nats a token to a relative change."""
    weight: str = ""
    """Field that says how much a prompt counts; all alike if empty."""
    mean: Callable[[float], float] = float
    """From the weighted mean of the field to the figure, such as from nats a token to perplexity."""
    field: str = ""
    """Field of the row; the name if empty."""
    is_share: bool = False
    """Whether it is 1 or 0 on each prompt."""
    is_optional: bool = False
    """Whether it may be missing from most prompts, as reading ease is from answers in other languages."""

    def count(self, rows: Sequence[Row]) -> int:
        """Prompts on which it was measured."""
        return sum((self.field or self.name) in row for row in rows)


def _relative_drop(nats: float) -> float:
    return 1 - math.exp(-nats)


PERPLEXITY = Metric("perplexity", -1, _relative_drop, "answer_tokens", math.exp, "loss")
TOKEN_F1 = Metric("token_f1", 1)


def gains(config: GateConfig) -> list[tuple[Metric, float, float]]:
    """What a candidate may be better by: metric, least effect and the effect that power is stated for."""
    return [
        (PERPLEXITY, -math.log(1 - config.min_perplexity_gain), -math.log(1 - config.target_perplexity_gain)),
        (TOKEN_F1, config.min_token_f1_gain, config.target_token_f1_gain),
    ]


def harms(config: GateConfig) -> list[tuple[Metric, float]]:
    """What it may be worse by, within a margin, over all prompts."""
    return [
        (PERPLEXITY, math.log(1 + config.max_perplexity_rise)),
        (TOKEN_F1, config.max_token_f1_loss),
        *((Metric(name, -1, is_share=True), config.max_guard_rise) for name in ("refused", "guarded", "empty")),
        (Metric("length_error", -1), config.max_length_error_rise),
        (Metric("reading_ease", 1, is_optional=True), config.max_reading_ease_loss),
    ]


def slice_harms(config: GateConfig) -> list[tuple[Metric, float]]:
    """Likewise within each slice."""
    return [
        (PERPLEXITY, math.log(1 + config.max_slice_perplexity_rise)),
        (TOKEN_F1, config.max_slice_token_f1_loss),
    ]


@dataclass(frozen=True)
class Pairs:
    """A metric of two models on the prompts where both have one; `own` and `other` with more being better."""

    metric: Metric
    own: Values
    other: Values
    weights: Values

    def figure(self, values: Values) -> float:
        """What the evaluation would call the figure of these prompts."""
        mean = float(values.sum() / self.weights.sum())
        return self.metric.mean(self.metric.sign * mean + 0.0)  # not -0.0


def pair(own: Sequence[Row], other: Sequence[Row], metric: Metric) -> Pairs:
    """Numbers of both models prompt by prompt; ValueError in words where that makes no sense."""
    field = metric.field or metric.name
    rival = {row["row_id"]: row for row in other}
    if len(rival) != len(other) or [row["row_id"] for row in own] != [row["row_id"] for row in other]:
        raise ValueError("was not measured on the same prompts")
    both = [(row, rival[row["row_id"]]) for row in own if field in row and field in rival[row["row_id"]]]
    if len(both) < 2:
        raise ValueError(f"was measured on {len(both)} prompts only; run `llmops evaluate` on more")
    values = np.array([[left[field], right[field]] for left, right in both], dtype=np.float64).T * metric.sign
    weights = np.array([left[metric.weight] if metric.weight else 1 for left, _ in both], dtype=np.float64)
    if not (np.isfinite(values).all() and np.isfinite(weights).all()):
        raise ValueError("is not finite on every prompt")
    return Pairs(metric, values[0], values[1], weights)


def judge_gain(pairs: Pairs, least: float, target: float, alpha: float, config: GateConfig) -> Finding:
    """Whether the candidate is better; `alpha` is this test's share of the whole."""
    judge = partial(judge_superiority, alpha=alpha, least=least, target=target)
    return judge(pairs.own, pairs.other, pairs.weights, resamples=config.resamples, seed=config.seed)


def judge_harm(pairs: Pairs, margin: float, config: GateConfig) -> Finding:
    """Whether the candidate is no worse than by the margin."""
    judge = partial(judge_non_inferiority, alpha=config.alpha, margin=margin, is_share=pairs.metric.is_share)
    return judge(pairs.own, pairs.other, pairs.weights)


def slices(rows: Sequence[Row]) -> Iterator[tuple[str, set[str]]]:
    """Each slice, as `source=faq`, with the ids of its prompts."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for way, group in row.get("slices", {}).items():
            found.setdefault(f"{way}={group}", set()).add(row["row_id"])
    yield from sorted(found.items())
