"""What a canary has seen so far: outcomes of both arms, in the order in which they came."""

import math
from dataclasses import dataclass

from llmops.publishing.canary.config import CanaryConfig
from llmops.publishing.canary.sequential import RATES, SHIFTS, Arm, Comparison

METRICS = ("error", "refusal", "latency", "bad_rating")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one answer went. Raises ValueError for a latency that is not above 0, or that a failed answer has."""

    error: bool
    """It failed, or did not end within its deadline."""
    refusal: bool | None = None
    """The question was refused; None for a failed answer."""
    latency_seconds: float | None = None
    """Time to the last token, above 0; None for a failed answer: one that fails at once is not fast."""

    def __post_init__(self) -> None:
        if self.error and (self.refusal, self.latency_seconds) != (None, None):
            raise ValueError("a failed answer neither refuses nor has a latency; leave both None")
        if self.latency_seconds is not None and not 0 < self.latency_seconds < math.inf:
            raise ValueError(f"latency of {self.latency_seconds} s: must be above 0 and finite; None if not measured")


class Tally:
    """How many values of one arm were counted, and their sum."""

    __slots__ = ("count", "total")

    def __init__(self) -> None:
        self.count, self.total = 0, 0.0

    @property
    def mean(self) -> float | None:
        """None where nothing was counted."""
        return self.total / self.count if self.count else None


class Evidence:
    """Everything `judge` decides on. Kept in memory; after a restart, record the logged outcomes again, in order.

    Each metric pairs its own values: a rating counts when it comes, however late, and answers without one are absent.
    """

    def __init__(self, config: CanaryConfig) -> None:
        self.config = config
        self.answers: dict[Arm, int] = {"control": 0, "challenger": 0}
        self.tallies: dict[str, dict[Arm, Tally]] = {
            name: {"control": Tally(), "challenger": Tally()} for name in METRICS
        }
        self.comparisons = {name: _comparison(name, config) for name in METRICS}

    def record(self, arm: Arm, outcome: Outcome) -> None:
        """Count an answer when it has ended."""
        self.answers[arm] += 1
        self._add("error", arm, float(outcome.error))
        if outcome.refusal is not None:
            self._add("refusal", arm, float(outcome.refusal))
        if outcome.latency_seconds is not None:
            self._add("latency", arm, math.log(outcome.latency_seconds))

    def rate(self, arm: Arm, *, is_bad: bool) -> None:
        """Count a user's rating of an answer."""
        self._add("bad_rating", arm, float(is_bad))

    def _add(self, metric: str, arm: Arm, value: float) -> None:
        tally = self.tallies[metric][arm]
        tally.count += 1
        tally.total += value
        self.comparisons[metric].add(arm, value)


def _comparison(metric: str, config: CanaryConfig) -> Comparison:
    limits = getattr(config, metric)
    if metric == "latency":  # values are logarithms, so that a ratio is a shift
        return Comparison(SHIFTS, harm=math.log(limits.roll_back_above), safety=math.log(limits.promote_below))
    return Comparison(RATES, harm=limits.roll_back_above, safety=limits.promote_below)
