"""`llmops tune` with real 4-bit trials on the tiny model."""

from pathlib import Path
from typing import Any

import pytest

from llmops.errors import TrainingError
from llmops.manifest import Manifest
from llmops.training.config import FinetuneConfig, LoraConfig
from llmops.training.stage import take_winner
from llmops.tuning.config import TuneConfig
from llmops.tuning.stage import tune_hyperparameters
from tests.training.samples import PAIRS, commit_examples, encode_pairs, read_json

CONFIG = TuneConfig(trials=3, tokens_per_trial=400, learning_rate_low=1e-3, learning_rate_high=3e-2, ranks=(2, 4))
TRAINING = FinetuneConfig(batch_size=2, warmup_share=0.3, lora=LoraConfig(rank=64, dropout=0.05), max_tokens=99_000)


@pytest.fixture(scope="module")
def tuned(features: Manifest, tiny_model: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    target = f"{tmp_path_factory.mktemp('search')}/as_of=2026-03-02"
    return tune_hyperparameters(features.uri, tiny_model.uri, target, config=CONFIG, training=TRAINING)


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


def test_trials_train_as_the_fine_tuning_will(
    tuned: Manifest, features: Manifest, tiny_model: Manifest, tmp_path: Path
) -> None:
    other = TRAINING.model_copy(update={"batch_size": 1})
    same = TRAINING.model_copy(update={"max_tokens": 1, "learning_rate": 0.1})  # what trials decide for themselves

    changed = tune_hyperparameters(features.uri, tiny_model.uri, f"{tmp_path}/one", config=CONFIG, training=other)
    reused = tune_hyperparameters(features.uri, tiny_model.uri, tuned.uri, config=CONFIG, training=same)

    losses = [[trial["loss"] for trial in read_json(found, "trials.json")] for found in (tuned, changed)]
    assert losses[0] != losses[1]
    assert reused == tuned


def test_a_search_without_a_range_is_refused() -> None:
    with pytest.raises(ValueError, match="is not below learning_rate_high"):
        TuneConfig(learning_rate_low=1e-3, learning_rate_high=1e-4)
    with pytest.raises(ValueError, match="at least 1"):
        TuneConfig(ranks=())


def test_two_searches_are_equal_bit_for_bit(
    tuned: Manifest, features: Manifest, tiny_model: Manifest, tmp_path: Path
) -> None:
    again = tune_hyperparameters(features.uri, tiny_model.uri, f"{tmp_path}/again", config=CONFIG, training=TRAINING)

    assert again.digest == tuned.digest


def test_trials_do_not_depend_on_those_before_them(
    tuned: Manifest, features: Manifest, tiny_model: Manifest, tmp_path: Path
) -> None:
    fewer = CONFIG.model_copy(update={"trials": 2})

    made = tune_hyperparameters(features.uri, tiny_model.uri, f"{tmp_path}/fewer", config=fewer, training=TRAINING)

    assert read_json(made, "trials.json") == read_json(tuned, "trials.json")[:2]


def test_without_a_validation_part_the_remedy_is_told(tiny_model: Manifest, tokenizer: Any, tmp_path: Path) -> None:
    features = commit_examples(f"{tmp_path}/features", tiny_model, {"train": encode_pairs(tokenizer, PAIRS[:2])})

    with pytest.raises(TrainingError, match="raise split"):
        tune_hyperparameters(features.uri, tiny_model.uri, f"{tmp_path}/tuning", config=CONFIG, training=TRAINING)
