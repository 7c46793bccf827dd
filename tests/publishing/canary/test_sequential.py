import math
import random
from collections.abc import Callable

import numpy as np
import pytest

from llmops.publishing.canary.sequential import (
    RATES,
    SHIFTS,
    STAKES,
    Comparison,
    Measure,
    Wealth,
    lower_bound,
    rate_gain,
    shift_gain,
)


def confseq_capital(observations: np.ndarray, mean: float) -> float:
    """The capital against "the mean is at most `mean`" by the formula of the package confseq.

    `betting_mart` there is cumprod(1 + lambda * (x - m)); `diversified_betting_mart` averages it over constant
    lambdas (gostevehoward/confseq, betting.py). A stake s of ours is lambda = s / m.
    """
    return float(np.mean([np.cumprod(1 + (stake / mean) * (observations - mean))[-1] for stake in STAKES]))


def test_wealth_of_rates_is_the_betting_martingale_of_a_bounded_mean() -> None:
    generator = np.random.default_rng(5)
    control, challenger = generator.random((2, 200)) < 0.3
    comparison = Comparison(RATES, harm=0.02, safety=0.1)

    for low, high in zip(control, challenger, strict=True):
        comparison.add("control", float(low))
        comparison.add("challenger", float(high))

    differences = challenger.astype(float) - control
    assert comparison.harm.value == pytest.approx(confseq_capital((1 + differences) / 2, (1 + 0.02) / 2))
    assert comparison.safety.value == pytest.approx(confseq_capital((1 - differences) / 2, (1 - 0.1) / 2))


def test_two_bets_worked_by_hand() -> None:
    wealth = Wealth()

    wealth.bet(1.0)
    wealth.bet(-0.5)

    assert wealth.value == pytest.approx(sum((1 + stake) * (1 - stake / 2) for stake in STAKES) / len(STAKES))


def test_rate_gain_worked_by_hand() -> None:
    assert rate_gain([0, 1, 0, 0], [1], 0.0) == 0.75  # 1 - 1/4
    assert rate_gain([0, 1, 0, 0], [1], 0.5) == pytest.approx(0.25 / 1.5)
    assert rate_gain([1], [0], 0.5) == -1.0  # all that is staked is lost, and no more


def test_shift_gain_counts_pairs_and_ties_pay_nothing() -> None:
    assert shift_gain([1.0, 2.0, 3.0], [2.5], 0.0) == pytest.approx(1 / 3)  # above two, below one
    assert shift_gain([2.0], [2.0], 0.0) == 0.0
    assert shift_gain([1.0, 2.0, 3.0], [2.5], 1.0) == pytest.approx((1 - 2) / 3)  # 1.5 is above one, below two


def test_a_block_closes_when_both_arms_have_answered() -> None:
    comparison = Comparison(RATES, harm=0.0, safety=0.1)

    for arm, value in (("control", 0.0), ("control", 1.0), ("challenger", 1.0), ("challenger", 0.0)):
        comparison.add(arm, value)

    assert comparison.blocks == [([0.0, 1.0], [1.0])]
    assert comparison.difference == 0.5


def test_a_block_of_latencies_holds_two_of_each_arm() -> None:
    comparison = Comparison(SHIFTS, harm=0.0, safety=0.1)

    for arm, value in (("control", 1.0), ("challenger", 4.0), ("challenger", 2.0), ("control", 3.0)):
        comparison.add(arm, value)

    assert comparison.blocks == [([1.0, 3.0], [4.0, 2.0])]
    # three of four pairs say slower: half of each stake is won
    assert comparison.harm.value == pytest.approx(1 + sum(STAKES) / len(STAKES) / 2)


def test_money_is_exactly_fair_when_the_claim_just_holds() -> None:
    """All outcomes of three blocks enumerated: the expected money is 1, so a 1/alpha of it has chance alpha at most."""
    rate, expected = 0.3, 0.0
    for outcomes in np.ndindex(*[2] * 6):
        chance = math.prod(rate if bad else 1 - rate for bad in outcomes)
        comparison = Comparison(RATES, harm=0.0, safety=0.1)
        for control, challenger in zip(outcomes[::2], outcomes[1::2], strict=True):
            comparison.add("control", control)
            comparison.add("challenger", challenger)
        expected += chance * comparison.harm.value

    assert expected == pytest.approx(1.0)


def test_identical_outcomes_prove_no_harm_and_in_time_safety() -> None:
    comparison = Comparison(RATES, harm=0.0, safety=0.03)

    for _ in range(500):
        comparison.add("control", 0.0)
        comparison.add("challenger", 0.0)

    assert comparison.harm.value == 1.0
    assert comparison.safety.value > 20


def flip(dice: random.Random, difference: float) -> float:
    return float(dice.random() < 0.2 + difference)


def draw(dice: random.Random, difference: float) -> float:
    return dice.gauss(difference, 0.3)


@pytest.mark.parametrize(("measure", "sample"), [(RATES, flip), (SHIFTS, draw)])
def test_bounds_and_bets_say_the_same(measure: Measure, sample: Callable[[random.Random, float], float]) -> None:
    dice = random.Random(11)  # noqa: S311 - a fixed seed is wanted
    crossings = 0
    for step in range(11):
        comparison = Comparison(measure, harm=0.05, safety=0.2)
        for _ in range(300):
            comparison.add("control", sample(dice, 0.0))
            comparison.add("challenger", sample(dice, step / 20))

        low, high = comparison.interval(0.0125, 0.05)

        assert (low > 0.05) == (comparison.harm.value >= 80)
        assert (high < 0.2) == (comparison.safety.value >= 20)
        crossings += low > 0.05
    assert 0 < crossings < 11


def test_without_blocks_nothing_is_bounded() -> None:
    comparison = Comparison(RATES, harm=0.0, safety=0.1)

    assert comparison.interval(0.05, 0.05) == (-1.0, 1.0)
    assert comparison.difference is None


def test_bounds_at_a_fixed_count_are_wider_than_the_normal_ones() -> None:
    """What is right at all times cannot be narrower than what is right at one."""
    generator = np.random.default_rng(3)
    blocks = [([float(generator.random() < 0.2)], [float(generator.random() < 0.4)]) for _ in range(1000)]
    differences = np.array([challenger[0] - control[0] for control, challenger in blocks])

    low = lower_bound(RATES, blocks, 0.05)

    one_look = differences.mean() - 1.645 * differences.std() / math.sqrt(1000)
    twice_as_far = differences.mean() - 2 * 1.645 * differences.std() / math.sqrt(1000)
    assert twice_as_far < low < one_look


def test_a_shift_of_latencies_is_bounded_around_the_true_one() -> None:
    dice, slower = random.Random(4), math.log(1.3)  # noqa: S311 - likewise
    comparison = Comparison(SHIFTS, harm=0.0, safety=0.1)

    for _ in range(4000):
        comparison.add("control", dice.gauss(0, 0.5))
        comparison.add("challenger", dice.gauss(slower, 0.5))

    low, high = comparison.interval(0.025, 0.025)
    assert slower - 0.1 < low < slower < high < slower + 0.1


def test_bounds_looked_at_after_every_answer_miss_at_most_alpha() -> None:
    """Monte Carlo: 400 sequences of 300 blocks, with the true difference 0.1, which the lower bound should not pass."""
    dice = random.Random(17)  # noqa: S311 - likewise
    missed = 0
    for _ in range(400):
        comparison = Comparison(RATES, harm=0.1, safety=0.2)
        for _ in range(300):
            comparison.add("control", float(dice.random() < 0.2))
            comparison.add("challenger", float(dice.random() < 0.3))
            if comparison.harm.value >= 10:
                missed += 1
                break

    # Binomial(400, 0.1) is above 60 with chance 0.0006; a test for one look, looked at 300 times, misses 200
    assert 4 < missed <= 60
