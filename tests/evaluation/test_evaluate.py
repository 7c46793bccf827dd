"""`llmops evaluate` on the tiny model, with and without a champion."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from llmops import artifacts
from llmops.errors import Refused, TrainingError
from llmops.evaluation.config import EvaluateConfig
from llmops.evaluation.stage import evaluate_candidate
from llmops.foundation.config import ImportModelConfig
from llmops.foundation.stage import import_model
from llmops.manifest import Manifest
from llmops.settings import Settings
from llmops.training.base import load_full
from llmops.training.config import FinetuneConfig
from llmops.training.examples import read_examples
from llmops.training.stage import finetune_adapter
from tests.evaluation.lakes import make_champion, make_settings
from tests.tiny_model import make_tiny_model
from tests.training.samples import PAIRS, commit_examples, commit_tuning, encode_pairs, read_json

CONFIG = EvaluateConfig(generated_examples=2, choices=2, max_new_tokens=8, resamples=100)

Finetune = Callable[[Manifest, int], Manifest]


@pytest.fixture(scope="module")
def finetune(features: Manifest, tuning: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Finetune:
    """Trains on a base model for so many epochs."""

    def run(model: Manifest, epochs: int) -> Manifest:
        target = f"{tmp_path_factory.mktemp('adapter')}/as_of=2026-03-02"
        return finetune_adapter(features.uri, model.uri, tuning.uri, target, config=FinetuneConfig(max_epochs=epochs))

    return run


@pytest.fixture(scope="module")
def candidate(finetune: Finetune, tiny_model: Manifest) -> Manifest:
    return finetune(tiny_model, 10)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


@pytest.fixture
def evaluate(
    candidate: Manifest, features: Manifest, tiny_model: Manifest, settings: Settings, tmp_path: Path
) -> Callable[[], Manifest]:
    def run() -> Manifest:
        return evaluate_candidate(
            candidate.uri,
            features.uri,
            tiny_model.uri,
            f"{tmp_path}/lake/evaluations/as_of=2026-03-02",
            config=CONFIG,
            settings=settings,
        )

    return run


def test_the_untuned_perplexity_is_that_of_the_base_model(
    evaluate: Callable[[], Manifest], tiny_model_folder: Path, features: Manifest
) -> None:
    model = load_full(tiny_model_folder)
    losses, labels = 0.0, 0
    for item in read_examples(features, "test"):
        with torch.no_grad():
            chances = model(input_ids=torch.tensor([item.input_ids])).logits[0].double().log_softmax(-1)
        places = range(item.prompt_tokens, item.tokens)
        losses -= sum(chances[place - 1, item.input_ids[place]].item() for place in places)
        labels += len(places)

    made = evaluate()

    assert made.metrics["untuned_perplexity"] == pytest.approx(math.exp(losses / labels), rel=1e-5)


def test_figures_come_from_the_numbers_of_single_examples(evaluate: Callable[[], Manifest]) -> None:
    made = evaluate()

    figures, scores = read_json(made, "evaluation.json"), read_json(made, "scores.json")
    assert set(figures["models"]) == set(scores) == {"untuned", "candidate"}
    assert figures["examples"] == figures["answered_examples"] == 2
    for name, rows in scores.items():
        own = figures["models"][name]
        loss = sum(row["loss"] for row in rows) / sum(row["answer_tokens"] for row in rows)
        assert own["perplexity"]["value"] == pytest.approx(math.exp(loss)) == made.metrics[f"{name}_perplexity"]
        assert own["token_f1"]["value"] == pytest.approx(sum(row["token_f1"] for row in rows) / 2)
        assert own["rouge_l"]["value"] == pytest.approx(sum(row["rouge_l"] for row in rows) / 2)
        assert all(figure["low"] <= figure["high"] for figure in own.values())
    assert made.metrics["candidate_perplexity"] < made.metrics["untuned_perplexity"]


def test_no_text_is_kept(evaluate: Callable[[], Manifest]) -> None:
    made = evaluate()

    kept = b"".join(artifacts.read_file(made, name) for name in made.names()).decode()
    assert "report.html" in artifacts.named_files(made)
    assert not [answer for _, answer in PAIRS if answer in kept]
    assert not [question for question, _ in PAIRS if question in kept]


def test_every_kind_of_metric_is_measured(evaluate: Callable[[], Manifest]) -> None:
    made = evaluate()

    for own in read_json(made, "evaluation.json")["models"].values():
        assert {"bleu", "rouge_1", "rouge_2", "kinds_hamming_loss", "kinds_f1_macro", "words", "refused"} <= set(own)
        assert own["choice_accuracy"]["n"] == own["token_f1"]["n"] == 2


def test_slices_add_up_to_the_whole(evaluate: Callable[[], Manifest]) -> None:
    made = evaluate()

    figures, scores = read_json(made, "evaluation.json"), read_json(made, "scores.json")
    assert {row["slices"]["source"] for row in scores["candidate"]} == {"faq"}
    assert {row["slices"]["context"] for row in scores["candidate"]} == {"without"}
    whole = figures["models"]["candidate"]["perplexity"]
    assert figures["slices"]["source"]["faq"]["candidate"]["perplexity"] == whole
    lengths = figures["slices"]["answer_length"]
    assert sum(group["candidate"]["perplexity"]["n"] for group in lengths.values()) == whole["n"]


def test_only_so_many_examples_are_answered(
    candidate: Manifest, features: Manifest, tiny_model: Manifest, settings: Settings, tmp_path: Path
) -> None:
    config = CONFIG.model_copy(update={"generated_examples": 1})
    made = evaluate_candidate(
        candidate.uri, features.uri, tiny_model.uri, f"{tmp_path}/evaluation", config=config, settings=settings
    )

    rows = read_json(made, "scores.json")["candidate"]
    assert ["token_f1" in row for row in rows] == [True, False]
    assert read_json(made, "evaluation.json")["answered_examples"] == 1


def test_two_runs_are_equal_bit_for_bit(evaluate: Callable[[], Manifest]) -> None:
    first = evaluate()
    with artifacts.recomputing():
        second = evaluate()

    assert second.digest == first.digest


def test_the_champion_is_scored_on_the_same_base(
    evaluate: Callable[[], Manifest], finetune: Finetune, settings: Settings, tiny_model: Manifest
) -> None:
    alone = evaluate()
    release = make_champion(settings, finetune(tiny_model, 1), tiny_model)

    made = evaluate()

    assert made.cache_key != alone.cache_key
    assert release.digest in {item.digest for item in made.inputs}
    # One epoch is better than none and worse than ten.
    figures = made.metrics
    assert figures["candidate_perplexity"] < figures["champion_perplexity"] < figures["untuned_perplexity"]
    assert {key: figures[key] for key in alone.metrics} == alone.metrics


def test_the_champion_is_scored_on_its_own_base(
    evaluate: Callable[[], Manifest], finetune: Finetune, settings: Settings, tmp_path: Path
) -> None:
    make_tiny_model(tmp_path / "other", seed=7)
    source = ImportModelConfig(base_model=str(tmp_path / "other"), licence="Apache-2.0")
    other = import_model(f"{tmp_path}/imported", config=source)
    make_champion(settings, finetune(other, 10), other, name="other")

    made = evaluate()

    # The same data and epochs on another random base: on the candidate's base the adapter would be noise.
    assert made.metrics["champion_perplexity"] == pytest.approx(made.metrics["candidate_perplexity"], rel=0.3)
    assert made.metrics["champion_perplexity"] < 0.8 * made.metrics["untuned_perplexity"]


def test_a_candidate_that_is_champion_is_not_evaluated(
    evaluate: Callable[[], Manifest], candidate: Manifest, settings: Settings, tiny_model: Manifest, tmp_path: Path
) -> None:
    make_champion(settings, candidate, tiny_model)

    with pytest.raises(Refused, match="already is the champion"):
        evaluate()

    assert artifacts.find(f"{tmp_path}/lake/evaluations/as_of=2026-03-02") is None


def test_a_champion_with_another_tokenizer_cannot_be_compared(
    evaluate: Callable[[], Manifest], finetune: Finetune, settings: Settings, tiny_model: Manifest, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    shutil.copytree(artifacts.local_folder(tiny_model), folder)
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}", encoding="utf-8")
    other = import_model(f"{tmp_path}/imported", config=ImportModelConfig(base_model=str(folder), licence="Apache-2.0"))
    make_champion(settings, finetune(tiny_model, 1), other, name="other")

    with pytest.raises(TrainingError, match="another tokenizer"):
        evaluate()


def test_an_adapter_of_another_base_is_refused(
    candidate: Manifest, features: Manifest, settings: Settings, tmp_path: Path
) -> None:
    make_tiny_model(tmp_path / "other", seed=7)
    source = ImportModelConfig(base_model=str(tmp_path / "other"), licence="Apache-2.0")
    other = import_model(f"{tmp_path}/imported", config=source)

    with pytest.raises(TrainingError, match="another base model"):
        evaluate_candidate(
            candidate.uri, features.uri, other.uri, f"{tmp_path}/evaluation", config=CONFIG, settings=settings
        )


def test_without_a_test_part_the_remedy_is_told(
    tiny_model: Manifest, tokenizer: Any, settings: Settings, tmp_path: Path
) -> None:
    features = commit_examples(f"{tmp_path}/features", tiny_model, {"train": encode_pairs(tokenizer, PAIRS[:2])})
    tuning = commit_tuning(f"{tmp_path}/tuning", [features, tiny_model])
    adapter = finetune_adapter(
        features.uri, tiny_model.uri, tuning.uri, f"{tmp_path}/adapter", config=FinetuneConfig(max_epochs=1)
    )

    with pytest.raises(TrainingError, match=r"raise split\.test_share"):
        evaluate_candidate(
            adapter.uri, features.uri, tiny_model.uri, f"{tmp_path}/evaluation", config=CONFIG, settings=settings
        )
