"""`llmops tune` with real 4-bit trials on the tiny model."""

from pathlib import Path
from typing import Any

import pytest

from llmops.artifacts import Manifest
from llmops.errors import TrainingError
from llmops.training.config import FinetuneConfig
from llmops.training.stage import take_winner
from llmops.tuning.config import TuneConfig
from llmops.tuning.stage import tune_hyperparameters
from tests.training.samples import PAIRS, commit_examples, encode_pairs, read_json

CONFIG = TuneConfig(trials=3, tokens_per_trial=400, learning_rate_low=1e-3, learning_rate_high=3e-2, ranks=(2, 4))


@pytest.fixture(scope="module")
def tuned(features: Manifest, tiny_model: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    target = f"{tmp_path_factory.mktemp('search')}/as_of=2026-03-02"
    return tune_hyperparameters(features.uri, tiny_model.uri, target, config=CONFIG)


def test_the_winner_has_the_lowest_validation_loss(tuned: Manifest) -> None:
    best, trials = read_json(tuned, "best.json"), read_json(tuned, "trials.json")

    assert len(trials) == 3
    assert len({trial["loss"] for trial in trials}) == 3  # every trial trained, from a fresh adapter
    assert best == {**min(trials, key=lambda trial: trial["loss"]), "algorithm": "random search"}
    assert tuned.metrics == {"best_loss": best["loss"]}


def test_finetune_takes_the_winner_over(tuned: Manifest) -> None:
    best = read_json(tuned, "best.json")

    config = take_winner(FinetuneConfig(seed=3), tuned)

    assert (config.learning_rate, config.lora.rank, config.lora.alpha) == (
        best["learning_rate"],
        best["rank"],
        2 * best["rank"],
    )
    assert config.seed == 3


def test_two_searches_are_equal_bit_for_bit(
    tuned: Manifest, features: Manifest, tiny_model: Manifest, tmp_path: Path
) -> None:
    again = tune_hyperparameters(features.uri, tiny_model.uri, f"{tmp_path}/again", config=CONFIG)

    assert again.digest == tuned.digest


def test_trials_do_not_depend_on_those_before_them(
    tuned: Manifest, features: Manifest, tiny_model: Manifest, tmp_path: Path
) -> None:
    fewer = CONFIG.model_copy(update={"trials": 2})

    made = tune_hyperparameters(features.uri, tiny_model.uri, f"{tmp_path}/fewer", config=fewer)

    assert read_json(made, "trials.json") == read_json(tuned, "trials.json")[:2]


def test_without_a_validation_part_the_remedy_is_told(tiny_model: Manifest, tokenizer: Any, tmp_path: Path) -> None:
    features = commit_examples(f"{tmp_path}/features", tiny_model, {"train": encode_pairs(tokenizer, PAIRS[:2])})

    with pytest.raises(TrainingError, match="raise split"):
        tune_hyperparameters(features.uri, tiny_model.uri, f"{tmp_path}/tuning", config=CONFIG)
