"""The rule that ends a canary: evidence in, decision with its numbers out."""

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from llmops.publishing.canary.config import CanaryConfig
from llmops.publishing.canary.evidence import METRICS, Evidence
from llmops.publishing.canary.sequential import Arm, Comparison

Decision = Literal["continue", "ramp", "promote", "roll_back", "abandon"]
_MOST = 1e12
"""JSON knows no infinity; evidence beyond this is logged as this."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with the challenger now. `promote` and `roll_back` are final.

    `abandon` is what the controller says when there is no champion to compare with any more; `judge` never does.
    """

    decision: Decision
    share: float
    """Share of the traffic that the challenger answers from now on."""
    reason: str


def judge(evidence: Evidence, share: float) -> Verdict:
    """Decide after an answer or a rating; `share` is the challenger's present one, 0 before its first answer.

    Costs microseconds, so that it can be asked after every answer; `explain` gives the numbers for the log. Looking
    less often changes no error rate. Harm comes first, and too little evidence at the end never promotes.
    """
    config = evidence.config
    needed = needed_against(config)
    worse = [name for name, comparison in evidence.comparisons.items() if comparison.harm.value >= needed]
    if worse:
        return Verdict("roll_back", 0.0, f"proven worse on {', '.join(worse)}")
    own = evidence.answers["challenger"]
    step = sum(own >= total for total in accumulate(config.answers_needed))
    if step == len(config.shares) and not lacking(evidence):
        return Verdict("promote", 1.0, "proven to be within every required limit")
    if own >= config.most_answers and config.when_undecided == "roll_back":
        return Verdict("roll_back", 0.0, f"undecided after {own} answers: {', '.join(lacking(evidence))}")
    due = config.shares[min(step, len(config.shares) - 1)]
    if due > share:
        return Verdict("ramp", due, f"{own} answers without proof of harm")
    return Verdict("continue", due, "not decided yet")


def needed_against(config: CanaryConfig) -> float:
    """Evidence of harm that rolls back: each metric gets its part of alpha (Bonferroni), so all together keep it."""
    return len(METRICS) / config.alpha


def needed_for(config: CanaryConfig) -> float:
    """Evidence of safety on each required metric.

    Promotion needs all of them at once, so one that is not safe is promoted by a mistake on that one: no correction
    is due (Berger, Multiparameter hypothesis testing and acceptance sampling, Technometrics 24, 1982).
    """
    return 1 / config.promotion_alpha


def lacking(evidence: Evidence) -> list[str]:
    """Metrics that promotion still waits for."""
    return [name for name in METRICS if not _is_safe(name, evidence)]


def _is_safe(name: str, evidence: Evidence) -> bool:
    comparison, limits = evidence.comparisons[name], getattr(evidence.config, name)
    if comparison.safety.value >= needed_for(evidence.config):
        return True
    difference = comparison.difference
    return not limits.is_required and (difference is None or difference <= comparison.safety_threshold)


def explain(evidence: Evidence, verdict: Verdict) -> dict[str, Any]:
    """The verdict with every number behind it, for the decision log: JSON's types only, no text of any answer.

    Takes milliseconds (for the intervals), so ask when a decision falls, not after every answer.
    """
    config = evidence.config
    return {
        "decision": verdict.decision,
        "share": verdict.share,
        "reason": verdict.reason,
        "answers": dict(evidence.answers),
        "evidence_needed": {"roll_back": needed_against(config), "promote": needed_for(config)},
        "metrics": {name: _figures(name, evidence) for name in METRICS},
        "config": config.model_dump(mode="json"),
    }


def _figures(name: str, evidence: Evidence) -> dict[str, Any]:
    """One metric: of latencies the geometric mean, ratios and seconds; of all others rates and their differences."""
    comparison, limits = evidence.comparisons[name], getattr(evidence.config, name)
    bounds = 1 / needed_against(evidence.config), 1 / needed_for(evidence.config)
    low, high = comparison.interval(*bounds)
    is_ratio = name == "latency"
    return {
        **{arm: _arm(evidence, name, arm, is_ratio) for arm in ("control", "challenger")},
        "blocks": len(comparison.blocks),
        "compared_as": "ratio" if is_ratio else "difference",
        "estimate": _plain(comparison.difference, is_ratio),
        "lower_bound": _bound(low, comparison, is_ratio),
        "upper_bound": _bound(high, comparison, is_ratio),
        "bounds_alpha": list(bounds),
        "roll_back_above": limits.roll_back_above,
        "promote_below": limits.promote_below,
        "is_required": limits.is_required,
        "evidence_worse": min(comparison.harm.value, _MOST),
        "evidence_within": min(comparison.safety.value, _MOST),
    }


def _arm(evidence: Evidence, name: str, arm: Arm, is_ratio: bool) -> dict[str, Any]:
    tally = evidence.tallies[name][arm]
    mean = _plain(tally.mean, is_ratio)
    return {"count": tally.count, **({"seconds": mean} if is_ratio else {"bad": round(tally.total), "rate": mean})}


def _plain(value: float | None, is_ratio: bool) -> float | None:
    """A logarithm turned back."""
    return math.exp(value) if value is not None and is_ratio else value


def _bound(value: float, comparison: Comparison, is_ratio: bool) -> float | None:
    """None for a ratio that nothing bounds yet; a difference of rates always lies in [-1, 1]."""
    return None if is_ratio and abs(value) >= comparison.reach else _plain(value, is_ratio)
