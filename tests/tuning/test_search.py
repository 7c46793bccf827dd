"""The search itself, with losses that are known beforehand."""

import math

import pytest

from llmops.errors import TrainingError
from llmops.training.config import FinetuneConfig, LoraConfig
from llmops.tuning.config import TuneConfig
from llmops.tuning.search import Point, algorithm, search, settings_of


def _distance_from_a_good_rate(point: Point) -> float:
    return abs(math.log(point.learning_rate / 3e-4)) + (0.1 if point.rank == 8 else 0.0)


def test_the_winner_is_the_trial_with_the_lowest_loss() -> None:
    best, trials = search(_distance_from_a_good_rate, TuneConfig(trials=8))

    assert len(trials) == 8
    assert [trial.loss for trial in trials] == [_distance_from_a_good_rate(trial.point) for trial in trials]
    assert best == min(trials, key=lambda trial: trial.loss).point


def test_points_are_values_within_the_ranges_asked_for() -> None:
    config = TuneConfig(trials=20, learning_rate_low=1e-4, learning_rate_high=2e-3, ranks=(4, 32))

    _, trials = search(lambda _: 1.0, config)

    rates = [trial.point.learning_rate for trial in trials]
    assert all(1e-4 <= rate <= 2e-3 for rate in rates)
    assert min(rates) < 3e-4
    assert max(rates) > 1e-3
    assert {trial.point.rank for trial in trials} == {4, 32}  # values, not the indices that hp.choice works with
    assert {trial.point.alpha for trial in trials} == {8, 64}


def test_equal_seeds_give_equal_searches() -> None:
    searches = [search(_distance_from_a_good_rate, TuneConfig(trials=4, seed=seed)) for seed in (1, 1, 2)]

    assert searches[0] == searches[1]
    assert searches[0] != searches[2]


def test_beyond_its_start_up_tpe_looks_where_losses_were_low() -> None:
    _, trials = search(_distance_from_a_good_rate, TuneConfig(trials=40))

    losses = [trial.loss for trial in trials]
    assert sum(losses[20:]) < 0.7 * sum(losses[:20])
    assert [algorithm(number) for number in (1, 20, 21)] == ["random search", "random search", "tpe"]


def test_a_failed_trial_does_not_win() -> None:
    best, trials = search(lambda point: math.nan if point.rank == 16 else 5.0, TuneConfig(trials=6))

    assert {trial.point.rank for trial in trials} == {8, 16}
    assert best.rank == 8


def test_a_search_of_failed_trials_is_refused() -> None:
    with pytest.raises(TrainingError, match="lower `learning_rate_high`"):
        search(lambda _: math.inf, TuneConfig())


def test_a_trial_trains_as_the_fine_tuning_will_but_for_what_is_varied() -> None:
    training = FinetuneConfig(batch_size=2, warmup_share=0.3, lora=LoraConfig(rank=64, dropout=0.05))

    settings = settings_of(Point(learning_rate=1e-2, rank=4), TuneConfig(tokens_per_trial=400, seed=7), training)

    assert settings == FinetuneConfig(
        learning_rate=1e-2,
        batch_size=2,
        max_tokens=400,
        warmup_share=0.3,
        lora=LoraConfig(rank=4, alpha=8, dropout=0.05),
        seed=7,
    )
