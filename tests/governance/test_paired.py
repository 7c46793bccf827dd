"""Paired tests, against values worked out by hand, published ones, and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from llmops.governance.paired import judge_non_inferiority, judge_superiority

_ONES = np.ones(6)


def test_p_of_a_gain_is_the_share_of_swaps_that_do_as_well() -> None:
    own, other = np.array([3.0, 4, 5, 6, 7, 1]), np.array([2.0, 2, 2, 2, 2, 2])

    found = judge_superiority(own, other, _ONES, alpha=0.05, least=0, target=1, resamples=9_999, seed=0)

    # Differences 1, 2, 3, 4, 5 and -1 sum up to 14. Of the 64 ways to sign 1, 2, 3, 4, 5, 1, one sums up to 16 and two
    # (a one turned) to 14: 3 of 64.
    assert found.p == pytest.approx(3 / 64)
    assert found.effect == pytest.approx(14 / 6)
    assert found.n == 6


def test_the_interval_is_students() -> None:
    # Sleep of ten patients under two drugs (Student 1908, "The probable error of a mean"; R's data set `sleep`):
    # mean difference 1.58, t 4.0621 on 9 degrees of freedom, one-sided p 0.00283 / 2, 95 % interval 0.700 to 2.460.
    one = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    two = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])

    found = judge_non_inferiority(two, one, np.ones(10), alpha=0.025, margin=1e-12)

    assert found.effect == pytest.approx(1.58)
    assert (found.low, found.high) == pytest.approx((0.7001142, 2.4598858))
    assert found.p == pytest.approx(0.00283289 / 2, rel=1e-5)


def test_few_equal_proportions_prove_little() -> None:
    nothing = np.zeros(10)

    found = judge_non_inferiority(nothing, nothing, np.ones(10), alpha=0.05, margin=0.1, is_share=True)

    # Half a prompt in each cell: variance (0.5 + 0.5) / 12^2; 1.645 standard errors reach beyond a tenth.
    assert found.low == pytest.approx(-1.6448536 / 12)
    assert (
        found.low
        < -0.1
        < judge_non_inferiority(*[np.zeros(30)] * 2, np.ones(30), alpha=0.05, margin=0.1, is_share=True).low
    )


def test_a_proportion_of_faults_is_judged_like_one_of_successes() -> None:
    draw = np.random.default_rng(5)
    own, other = (draw.random((2, 50)) < 0.2).astype(float)

    faults = judge_non_inferiority(-own, -other, np.ones(50), alpha=0.05, margin=0.1, is_share=True)
    successes = judge_non_inferiority(1 - own, 1 - other, np.ones(50), alpha=0.05, margin=0.1, is_share=True)

    assert faults == successes


def test_an_interval_of_proportions_covers_as_often_as_it_says() -> None:
    draw, covered, repetitions = np.random.default_rng(2), 0, 2_000
    for _ in range(repetitions):
        outcome = draw.choice(3, p=[0.1, 0.05, 0.85], size=60)
        found = judge_non_inferiority(
            (outcome == 0).astype(float),
            (outcome == 1).astype(float),
            np.ones(60),
            alpha=0.05,
            margin=0.1,
            is_share=True,
        )
        covered += found.low <= 0.05

    assert covered / repetitions == pytest.approx(0.95, abs=0.02)


def test_prompts_count_by_their_weight() -> None:
    tokens = np.array([10.0, 30, 20])

    found = judge_non_inferiority(np.array([5.0, 6, 0]), np.zeros(3), tokens, alpha=0.05, margin=1)

    assert found.effect == pytest.approx(11 / 60)


@pytest.mark.parametrize("size", [20, 60])
def test_the_power_that_is_stated_is_the_power_there_is(size: int) -> None:
    draw = np.random.default_rng(3)
    passed, stated, repetitions = 0, [], 400
    for _ in range(repetitions):
        own = draw.normal(0.5, 1.0, size)
        found = judge_superiority(
            own, np.zeros(size), np.ones(size), alpha=0.05, least=0.1, target=0.5, resamples=499, seed=0
        )
        passed += found.p <= 0.05 and found.effect >= 0.1
        stated.append(found.power)

    assert np.mean(stated) == pytest.approx(passed / repetitions, abs=0.07)


def test_the_examples_that_are_needed_are_those_of_the_textbook() -> None:
    own = np.tile([1.5, -0.5], 50)  # standard deviation 1.005

    found = judge_superiority(own, np.zeros(100), np.ones(100), alpha=0.05, least=0, target=0.25, resamples=99, seed=0)

    # n = ((z_0.95 + z_0.8) * sd / effect)^2, such as in Chow, Shao and Wang, "Sample Size Calculations", section 3.1.
    assert found.examples_needed == math.ceil(((1.6448536 + 0.8416212) * own.std(ddof=1) / 0.25) ** 2)
    assert found.examples_needed == pytest.approx(100, abs=1)


def test_p_values_of_equal_models_are_uniform() -> None:
    draw = np.random.default_rng(4)
    found = []
    for _ in range(400):
        values = draw.exponential(1.0, (2, 25)) ** 2  # heavy tails, alike for both
        found.append(judge_superiority(*values, np.ones(25), alpha=0.05, least=0, target=1, resamples=199, seed=0).p)

    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.03)
