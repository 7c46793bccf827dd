"""How a release is tried on real traffic before it becomes champion."""

from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from llmops.config import StageConfig


def _refuse_overlap(roll_back_above: float, promote_below: float) -> None:
    """Between the limits either may happen; were they the other way round, both could be proven at once."""
    if roll_back_above > promote_below:
        raise ValueError(f"roll_back_above {roll_back_above} exceeds promote_below {promote_below}; lower it")


class RateLimits(StageConfig):
    """How much more often something bad may happen under the challenger, as a difference of two rates."""

    roll_back_above: float = Field(0.0, ge=0, lt=1)
    """A rise proven to be above this rolls the challenger back; 0.01 is one answer in a hundred."""
    promote_below: float = Field(0.03, gt=0, lt=1)
    """Promotion needs the rise to be proven below this. The smaller, the more answers that takes."""
    is_required: bool = True
    """Whether promotion needs that proof. Without it, what was seen must not lie above `promote_below`."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _refuse_overlap(self.roll_back_above, self.promote_below)
        return self


class RatioLimits(StageConfig):
    """How much slower the challenger may be, as a ratio of the arms' typical latencies."""

    roll_back_above: float = Field(1.05, ge=1)
    """A ratio proven to be above this rolls the challenger back; 1.05 is five per cent slower."""
    promote_below: float = Field(1.15, gt=1)
    """Promotion needs the ratio to be proven below this."""
    is_required: bool = True
    """Whether promotion needs that proof. Without it, what was seen must not lie above `promote_below`."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _refuse_overlap(self.roll_back_above, self.promote_below)
        return self


class CanaryConfig(StageConfig):
    """How a challenger's share of the traffic grows, and what ends its trial."""

    shares: tuple[float, ...] = (0.05, 0.2, 0.5)
    """Share of the traffic that the challenger answers at each step; the champion answers the rest."""
    answers_needed: tuple[int, ...] = (100, 150, 100)
    """The challenger's own answers at each step before the next one, or, at the last, before promotion."""
    most_answers: int = Field(10_000, ge=1)
    """The challenger's own answers after which the trial ends undecided."""
    most_days: float = Field(14.0, gt=0)
    """Days after which the trial ends undecided, should so many answers not come."""
    when_undecided: Literal["roll_back", "continue"] = "roll_back"
    """What happens then: rolled back, or the trial goes on at its last share until it is decided."""
    alpha: float = Field(0.05, gt=0, lt=1)
    """Chance that a challenger which is no worse on anything is ever rolled back for being worse."""
    promotion_alpha: float = Field(0.05, gt=0, lt=1)
    """Chance that a challenger which is worse than a required limit is ever promoted."""
    error: RateLimits = RateLimits()
    """Limits for failed answers."""
    refusal: RateLimits = RateLimits()
    """Limits for refused questions."""
    latency: RatioLimits = RatioLimits()
    """Limits for the time that an answer takes."""
    bad_rating: RateLimits = RateLimits(promote_below=0.1, is_required=False)
    """Limits for ratings that were bad. Few users rate, so promotion does not wait for them."""

    @model_validator(mode="after")
    def _is_a_ramp(self) -> Self:
        if not self.shares or len(self.shares) != len(self.answers_needed):
            raise ValueError(f"{len(self.shares)} shares, {len(self.answers_needed)} answers_needed; give one for each")
        if not all(low < high for low, high in pairwise((0.0, *self.shares, 1.0))):
            raise ValueError(f"shares {self.shares}: must rise, above 0 and below 1: both arms need traffic")
        if min(self.answers_needed) < 1 or sum(self.answers_needed) > self.most_answers:
            raise ValueError(
                f"answers_needed {self.answers_needed}: each at least 1, together at most {self.most_answers}"
            )
        return self
