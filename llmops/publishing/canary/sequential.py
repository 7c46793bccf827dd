"""Comparing two arms while looking at every answer: tests by betting, exact at every count.

Someone starts with 1 and bets, before each new piece of evidence, against "the challenger is not worse". If that is
so, every bet is fair at best, and the chance that the money ever reaches 1/alpha is at most alpha: Ville's inequality
(Ville, Étude critique de la notion de collectif, 1939). So one may look after every answer and stop at any time. The
money is an e-value. Method and proof: Waudby-Smith and Ramdas, Estimating means of bounded random variables by
betting, JRSS B 86 (2024), section 4, the capital process; the stakes are mixed as `diversified_betting_mart` of the
package confseq does it.

The evidence comes in blocks: one closes as soon as it holds an answer of each arm (two for latencies). Only the arms
within a block are compared, and the bet is on the block. That makes the test valid

- at any count: nothing is approximated, so one error among few answers proves nothing;
- when the shares change on the way: that moves how many answers a block holds, not who wins in it;
- when the world changes on the way: an outage hits both arms of the same block. Pooled over a ramp, rates would
  differ for equal arms, because more of the challenger's answers are late ones (Simpson's paradox).

Asymptotic confidence sequences (Waudby-Smith et al., Annals of Statistics 2024) lack the first, two-sample likelihood
ratios on counts the last.

Assumed: which arm answers is drawn independently of the outcome, and given the past an answer's outcome does not
depend on who asks. One heavy user who is bound to an arm breaks the second. Not covered: outcomes that arrive later
the worse they are; give every answer a deadline.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Arm = Literal["control", "challenger"]
Block = tuple[Sequence[float], Sequence[float]]
"""Values of one arm and of the other, neither empty."""
Gains = Callable[[float], NDArray[np.float64]]

STAKES = (0.03, 0.06, 0.12, 0.25, 0.5, 0.9)
"""Parts of the money that are staked, one fortune for each: a small difference wants small stakes, a large one large.
Twofold steps: between two of them the money grows nearly as fast as at the best stake."""
_HALVINGS = 24


class Wealth:
    """Money won against a claim, spread over STAKES. If the claim holds, P(ever at least 1/alpha) <= alpha."""

    __slots__ = ("_fortunes", "value")

    def __init__(self) -> None:
        self._fortunes = [1.0] * len(STAKES)
        self.value = 1.0
        """The e-value: mean of the fortunes; infinity beyond what a float holds."""

    def bet(self, gain: float) -> None:
        """Add one result: `gain` per unit staked, at least -1, and not above 0 on average if the claim holds."""
        self._fortunes = [fortune * (1 + stake * gain) for fortune, stake in zip(self._fortunes, STAKES, strict=True)]
        self.value = sum(self._fortunes) / len(STAKES)


@dataclass(frozen=True)
class Measure:
    """What "worse by more than a threshold" means. Swapping the arms and negating the threshold gives the opposite."""

    gain: Callable[[Sequence[float], Sequence[float], float], float]
    """What a block pays against "the second arm's values exceed the first's by at most the threshold"."""
    gains: Callable[[Sequence[Block]], Gains]
    """The same for many blocks at once, as a function of the threshold."""
    fewest: int
    """Values of each arm that close a block. A larger block holds more comparisons, and allows fewer bets."""
    reach: float
    """Thresholds are sought between minus and plus this."""


def rate_gain(first: Sequence[float], second: Sequence[float], threshold: float) -> float:
    """A bet on a difference of means of values in [0, 1]; `threshold` in (-1, 1)."""
    return (sum(second) / len(second) - sum(first) / len(first) - threshold) / (1 + threshold)


def rate_gains(blocks: Sequence[Block]) -> Gains:
    """`rate_gain` of each block, float64 [blocks]."""
    differences = np.array([sum(second) / len(second) - sum(first) / len(first) for first, second in blocks])
    return lambda threshold: (differences - threshold) / (1 + threshold)


def shift_gain(first: Sequence[float], second: Sequence[float], threshold: float) -> float:
    """A bet on which arm's value is larger, after `threshold` is taken off the second's; a tie pays nothing.

    Wins and losses over all pairs of a block (Mann and Whitney, 1947): no outlier weighs more than a pair, and no
    shape is assumed. The claim bet against is "a value of the second arm, less the threshold, is as likely below one
    of the first as above", which for equal shapes is "shifted by the threshold".
    """
    balance = 0
    for later in second:
        level = later - threshold
        for earlier in first:
            balance += (level > earlier) - (level < earlier)
    return balance / (len(first) * len(second))


def shift_gains(blocks: Sequence[Block]) -> Gains:
    """`shift_gain` of each block, float64 [blocks]."""
    differences = np.concatenate([np.subtract.outer(second, first).ravel() for first, second in blocks])
    sizes = [len(first) * len(second) for first, second in blocks]
    starts = np.cumsum([0, *sizes[:-1]])
    return lambda threshold: np.add.reduceat(np.sign(differences - threshold), starts) / sizes


RATES = Measure(rate_gain, rate_gains, fewest=1, reach=1.0)
SHIFTS = Measure(shift_gain, shift_gains, fewest=2, reach=math.log(1000))


class Comparison:
    """One measure of two arms: bets against "worse by at most `harm`" and against "worse by at least `safety`"."""

    def __init__(self, measure: Measure, *, harm: float, safety: float) -> None:
        self._measure = measure
        self.harm_threshold, self.safety_threshold = harm, safety
        self._open: dict[Arm, list[float]] = {"control": [], "challenger": []}
        self._total_difference = 0.0
        self.blocks: list[Block] = []
        """Closed blocks: values of the control, values of the challenger."""
        self.harm = Wealth()
        """Evidence that the challenger is worse by more than `harm`."""
        self.safety = Wealth()
        """Evidence that it is worse by less than `safety`."""

    def add(self, arm: Arm, value: float) -> None:
        """Count one value, in the order in which answers end; a rate's values lie in [0, 1]."""
        self._open[arm].append(value)
        control, challenger = self._open["control"], self._open["challenger"]
        if len(control) >= self._measure.fewest and len(challenger) >= self._measure.fewest:
            self._close(control, challenger)
            self._open = {"control": [], "challenger": []}

    def _close(self, control: list[float], challenger: list[float]) -> None:
        self.harm.bet(self._measure.gain(control, challenger, self.harm_threshold))
        self.safety.bet(self._measure.gain(challenger, control, -self.safety_threshold))
        self._total_difference += sum(challenger) / len(challenger) - sum(control) / len(control)
        self.blocks.append((control, challenger))

    @property
    def reach(self) -> float:
        """The farthest that a bound can lie from 0."""
        return self._measure.reach

    @property
    def difference(self) -> float | None:
        """Challenger less control, as the mean over blocks; None before the first."""
        return self._total_difference / len(self.blocks) if self.blocks else None

    def interval(self, lower_alpha: float, upper_alpha: float) -> tuple[float, float]:
        """Bounds of the difference, each right at all times together but for its alpha.

        They agree with the bets: `harm` has reached 1/lower_alpha just when the lower bound lies above its threshold.
        Takes milliseconds, for the log; the bets alone decide. Without blocks, the bounds are the measure's reach.
        """
        low = lower_bound(self._measure, self.blocks, lower_alpha)
        swapped = [(challenger, control) for control, challenger in self.blocks]
        return low, -lower_bound(self._measure, swapped, upper_alpha)


def lower_bound(measure: Measure, blocks: Sequence[Block], alpha: float) -> float:
    """The largest threshold that the second arm is proven to exceed the first by, or minus the measure's reach."""
    low, high = -measure.reach, measure.reach
    if not blocks:
        return low
    gains = measure.gains(blocks)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_proven = _log_wealth(gains(middle)) >= -math.log(alpha)
        low, high = (middle, high) if is_proven else (low, middle)
    return low


def _log_wealth(gains: NDArray[np.float64]) -> float:
    """Logarithm of the money after all bets."""
    logs = np.log1p(np.multiply.outer(np.array(STAKES), gains)).sum(axis=1)
    return float(np.logaddexp.reduce(logs)) - math.log(len(STAKES))
