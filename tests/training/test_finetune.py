"""`llmops finetune` with real 4-bit training of the tiny model."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from llmops import artifacts
from llmops.errors import MissingArtifactError, TrainingError
from llmops.evaluation.generation import generate_answers
from llmops.manifest import Manifest
from llmops.training.base import add_adapter
from llmops.training.config import FinetuneConfig, LoraConfig
from llmops.training.loop import train
from llmops.training.stage import finetune_adapter
from tests.training.samples import PAIRS, commit_examples, commit_tuning, encode_pairs, example, read_json

CONFIG = FinetuneConfig(max_tokens=10_000, max_epochs=20)


@pytest.fixture(scope="module")
def trained(
    features: Manifest, tiny_model: Manifest, tuning: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> Manifest:
    target = f"{tmp_path_factory.mktemp('adapters')}/as_of=2026-03-02"
    return finetune_adapter(features.uri, tiny_model.uri, tuning.uri, target, config=CONFIG)


def test_both_losses_fall(trained: Manifest) -> None:
    report = read_json(trained, "training.json")

    assert report["losses"][-1] < report["losses"][0] - 0.3
    assert report["validation"]["last"] < report["validation"]["first"]
    assert report["validation"]["examples"] == 2
    assert trained.metrics["validation_loss"] == report["validation"]["last"]
    assert trained.metrics["train_loss"] == pytest.approx(sum(report["losses"][-10:]) / 10)


def test_the_report_says_what_was_done(trained: Manifest, features: Manifest, tuning: Manifest) -> None:
    report = read_json(trained, "training.json")
    part = artifacts.read_table(features).to_pylist()

    assert report["steps"] == len(report["losses"]) == 40  # eight examples in batches of four, twenty times
    assert report["tokens"] == 20 * sum(len(row["input_ids"]) for row in part if row["part"] == "train")
    assert report["hyperparameters"]["learning_rate"] == read_json(tuning, "best.json")["learning_rate"] == 1e-2
    assert report["hyperparameters"]["lora"] == {"rank": 4, "alpha": 8, "dropout": 0.0}
    assert trained.day == features.day


def test_the_adapter_covers_all_linear_layers_and_names_no_path(trained: Manifest, tiny_model: Manifest) -> None:
    folder = artifacts.local_folder(trained)
    weights = load_file(folder / "adapter_model.safetensors")
    content = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))

    assert len(weights) == 2 * 7 * 2  # A and B of seven linear layers in each of two blocks
    assert all(tensor.abs().max() > 0 for tensor in weights.values())
    assert content["base_model_name_or_path"] == tiny_model.digest
    assert (content["r"], content["lora_alpha"]) == (4, 8)
    assert {path.name for path in folder.iterdir()} == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "training.json",
    }


def test_two_runs_are_equal_bit_for_bit(
    trained: Manifest, features: Manifest, tiny_model: Manifest, tuning: Manifest, tmp_path: Path
) -> None:
    again = finetune_adapter(features.uri, tiny_model.uri, tuning.uri, f"{tmp_path}/again", config=CONFIG)

    assert again.digest == trained.digest


def test_another_seed_gives_another_adapter(
    features: Manifest, tiny_model: Manifest, tuning: Manifest, tmp_path: Path
) -> None:
    short = {"max_tokens": 100}
    weights = []
    for seed in (0, 1):
        made = finetune_adapter(
            features.uri, tiny_model.uri, tuning.uri, f"{tmp_path}/{seed}", config=FinetuneConfig(seed=seed, **short)
        )
        weights.append((artifacts.local_folder(made) / "adapter_model.safetensors").read_bytes())

    assert weights[0] != weights[1]


def test_a_killed_run_leaves_nothing_and_a_rerun_equals_an_undisturbed_one(
    trained: Manifest, features: Manifest, tiny_model: Manifest, tuning: Manifest, tmp_path: Path
) -> None:
    target = f"{tmp_path}/as_of=2026-03-02"
    limits = ["--config.max-tokens", str(CONFIG.max_tokens), "--config.max-epochs", str(CONFIG.max_epochs)]
    command = [sys.executable, "-c", "from llmops.cli import main; main()", "finetune"]
    process = subprocess.Popen(
        [*command, features.uri, tiny_model.uri, tuning.uri, target, *limits],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "LLMOPS_LOG_FORMAT": "json"},
    )

    assert process.stderr is not None
    said = next(line for line in process.stderr if "training.progressed" in line)  # said after the first of 40 steps
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert json.loads(said)["done"] < trained.metrics["tokens"]
    assert artifacts.find(target) is None
    rerun = finetune_adapter(features.uri, tiny_model.uri, tuning.uri, target, config=CONFIG)
    assert rerun.digest == trained.digest


def test_the_end_token_is_learnt(quantised: Any, tokenizer: Any) -> None:
    examples = encode_pairs(tokenizer, PAIRS[:4])
    model = add_adapter(quantised, LoraConfig(rank=8, alpha=16), seed=0)
    train(model, [examples] * 100, FinetuneConfig(learning_rate=1e-2))

    answers = generate_answers(model, tokenizer, [item.prompt for item in examples], max_new_tokens=64, batch_size=4)

    assert answers == [answer for _, answer in PAIRS[:4]]  # and nothing after them, although there was room


def test_a_loss_that_runs_away_stops_the_run(quantised: Any, tokenizer: Any) -> None:
    examples = encode_pairs(tokenizer, PAIRS[:4])
    model = add_adapter(quantised, LoraConfig(), seed=0)

    with pytest.raises(TrainingError, match="lower `learning_rate`"):
        train(model, [examples] * 50, FinetuneConfig(learning_rate=1e30))


def test_a_validation_part_may_be_missing(tiny_model: Manifest, tokenizer: Any, tmp_path: Path) -> None:
    features = commit_examples(f"{tmp_path}/features", tiny_model, {"train": encode_pairs(tokenizer, PAIRS[:2])})
    tuning = commit_tuning(f"{tmp_path}/tuning", [features, tiny_model])

    made = finetune_adapter(features.uri, tiny_model.uri, tuning.uri, f"{tmp_path}/adapter", config=FinetuneConfig())

    assert "validation_loss" not in made.metrics
    assert read_json(made, "training.json")["validation"] == {"examples": 0, "first": None, "last": None}


def test_answers_without_an_end_token_are_refused(tiny_model: Manifest, tmp_path: Path) -> None:
    features = commit_examples(f"{tmp_path}/features", tiny_model, {"train": [example("a", [5, 6], [7, 8])]})
    tuning = commit_tuning(f"{tmp_path}/tuning", [features, tiny_model])

    with pytest.raises(TrainingError, match="last label is not the model's end token"):
        finetune_adapter(features.uri, tiny_model.uri, tuning.uri, f"{tmp_path}/adapter", config=FinetuneConfig())

    assert artifacts.find(f"{tmp_path}/adapter") is None


def test_a_missing_input_names_the_command_that_makes_it(
    features: Manifest, tiny_model: Manifest, tmp_path: Path
) -> None:
    with pytest.raises(MissingArtifactError, match="run `llmops tune` first"):
        finetune_adapter(features.uri, tiny_model.uri, f"{tmp_path}/none", f"{tmp_path}/adapter", config=CONFIG)
