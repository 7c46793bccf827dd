"""`llmops metrics` against values that libraries, papers and textbooks publish."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmops.errors import ConfigurationError
from llmops.evaluation.metrics import compute_metrics

# scikit-learn's examples of f1_score, https://scikit-learn.org/stable/modules/generated/sklearn.metrics.f1_score.html
_F1 = [{"reference": e, "prediction": f} for e, f in zip([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1], strict=True)]
# Likewise of accuracy_score, and of hamming_loss for labels and for indicator vectors.
_ACCURACY = [{"reference": e, "prediction": f} for e, f in zip([0, 1, 2, 3], [0, 2, 1, 3], strict=True)]
_HAMMING = [{"reference": e, "prediction": f} for e, f in zip([2, 2, 3, 4], [1, 2, 3, 4], strict=True)]
_INDICATORS = [{"reference": [0, 1], "prediction": [0, 0]}, {"reference": [1, 1], "prediction": [0, 0]}]
_SETS = [{"reference": ["b"], "prediction": []}, {"reference": ["a", "b"], "prediction": []}]
# The example of sacrebleu's README (https://github.com/mjpost/sacrebleu#using-sacrebleu-from-python): BLEU = 48.53.
_BLEU = [
    {"prediction": "The dog bit the man.", "reference": ["The dog bit the man.", "The dog had bit the man."]},
    {"prediction": "It wasn't surprising.", "reference": ["It was not unexpected.", "No one was surprised."]},
    {
        "prediction": "The man had just bitten him.",
        "reference": ["The man bit him first.", "The man had bitten the dog."],
    },
]
# Tests of google-research/rouge, rouge_scorer_test.py: testRouge1, testRouge2 and testRougeL.
_ROUGE_1 = [{"reference": "testing one two", "prediction": "testing"}]
_ROUGE_2 = [{"reference": "testing one two", "prediction": "testing one"}]
# Jurafsky and Martin, Speech and Language Processing (3rd edition), section 3.3: a digit 0 in 91 of 100 places, the
# others in one each; the perplexity of "0 0 0 0 0 3 0 0 0 0" is 1.725. A fair digit has the perplexity 10.
_DIGITS = [{"logprobs": [-0.09431068] * 5 + [-4.60517019] + [-0.09431068] * 4}]
_FAIR_DIGITS = [{"loss": 2.302585093 * 4, "tokens": 4}, {"loss": 2.302585093 * 9, "tokens": 9}]
# TorchMetrics' example of RetrievalPrecision with top_k=2: of two queries 0.5 and 0.5.
# https://lightning.ai/docs/torchmetrics/stable/retrieval/precision.html
_RANKINGS = [
    {"prediction": ["c", "b", "a"], "reference": ["c"]},
    {"prediction": ["f", "e", "g", "d"], "reference": ["e", "g"]},
]


def _sentence(text: str) -> list[dict[str, str]]:
    return [{"prediction": text}]


@pytest.mark.parametrize(
    ("metric", "records", "expected"),
    [
        ("f1_macro", _F1, 0.26666667),
        ("f1_micro", _F1, 0.33333333),
        ("f1_weighted", _F1, 0.26666667),
        ("accuracy", _ACCURACY, 0.5),
        ("hamming_loss", _HAMMING, 0.25),
        ("hamming_loss", _INDICATORS, 0.75),
        ("hamming_loss", _SETS, 0.75),
        ("bleu", _BLEU, 48.530827),
        ("rouge1", _ROUGE_1, 0.5),
        ("ROUGE-2", _ROUGE_2, 0.66666667),
        ("rougeL", _ROUGE_2, 0.8),
        ("perplexity", _DIGITS, 1.725),
        ("perplexity", _FAIR_DIGITS, 10.0),
        ("precision@2", _RANKINGS, 0.5),
        ("precision@4", _RANKINGS, (1 / 4 + 2 / 4) / 2),
        # https://en.wikipedia.org/wiki/Flesch-Kincaid_readability_tests: 116, 69 and 37.5.
        ("flesch", _sentence("The cat sat on the mat."), 116.145),
        (
            "flesch",
            _sentence("This sentence, taken as a reading passage unto itself, is being used to prove a point."),
            68.9825,
        ),
        (
            "flesch_reading_ease",
            _sentence("The Australian platypus is seemingly a hybrid of a mammal and reptilian creature."),
            37.4553846,
        ),
        ("token_f1", [{"reference": ["no", "the red lamp"], "prediction": "the blue lamp"}], 0.5),
        ("exact_match", [{"reference": "Yes.", "prediction": "yes"}, {"reference": "Yes.", "prediction": "no"}], 0.5),
    ],
)
def test_published_values_are_met(metric: str, records: list[dict[str, Any]], expected: float, tmp_path: Path) -> None:
    (found,) = _compute(records, tmp_path, metric, resamples=20).values()

    assert found["value"] == pytest.approx(expected, rel=3e-4)
    assert found["low"] <= found["high"]
    assert found["n"] == len(records)


def test_chrf_of_one_sentence_is_sacrebleus(tmp_path: Path) -> None:
    # sacrebleu's test_chrf.py: a hypothesis equal to its reference has 100, one without a common character 0.
    records = [{"prediction": "abcdefg", "reference": "abcdefg"}, {"prediction": "hij", "reference": "abcdefg"}]

    assert _compute(records, tmp_path, "chrf", resamples=20)["chrf"]["value"] == pytest.approx(50.0)


def test_an_interval_is_that_of_a_proportion(tmp_path: Path) -> None:
    records = [{"reference": "a", "prediction": "a" if number % 2 else "b"} for number in range(100)]

    found = _compute(records, tmp_path, "accuracy", resamples=2_000)["accuracy"]

    # 100 coin flips: standard error 0.05.
    assert (found["low"], found["high"]) == pytest.approx((0.402, 0.598), abs=0.02)


def test_groups_have_figures_of_their_own(tmp_path: Path) -> None:
    records = [
        {"reference": 1, "prediction": 1, "language": "de"},
        {"reference": 1, "prediction": 0, "language": "en"},
        {"reference": 1, "prediction": 1, "language": "en"},
    ]

    found = _compute(records, tmp_path, "accuracy", by="language", resamples=20)["accuracy"]

    assert found["value"] == pytest.approx(2 / 3)
    assert {name: (item["value"], item["n"]) for name, item in found["by"].items()} == {"de": (1.0, 1), "en": (0.5, 2)}


def test_one_word_may_stand_for_several_metrics(tmp_path: Path) -> None:
    assert set(_compute(_F1, tmp_path, "f1", resamples=20)) == {"f1_micro", "f1_macro", "f1_weighted"}


@pytest.mark.parametrize(
    ("metric", "text", "message"),
    [
        ("accurcy", '{"reference": 1, "prediction": 1}', "did you mean accuracy?"),
        ("accuracy", '{"reference": 1, "prediction": 1}\n{"reference": 1}', "line 2 lacks the field `prediction`"),
        ("accuracy", '{"reference": 1, "prediction": [1]}', "some records hold a list of labels and some a single one"),
        ("bleu", '{"reference": "a", "prediction": 3}', "line 1: `prediction` is to be a text"),
        ("bleu", '\n{"reference"', "line 2 is no JSON"),
        ("bleu", "[1]", "line 1 is no JSON object"),
        ("bleu", "", "no lines"),
        ("precision@0", '{"reference": [1], "prediction": [1]}', "at least 1"),
        ("flesch", '{"prediction": "?!"}', "no line has a text with words"),
        ("perplexity", '{"loss": "3", "tokens": 2}', "line 1: perplexity is of numbers"),
        ("perplexity", '{"logprobs": []}', "line 1: perplexity is of numbers"),
        ("perplexity", '{"loss": 3.0, "tokens": 0}', "0 tokens have no perplexity"),
    ],
)
def test_a_mistake_is_named(metric: str, text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    with pytest.raises(ConfigurationError, match=message.replace("?", r"\?")):
        compute_metrics(metric)


def test_the_command_reads_standard_input() -> None:
    lines = "\n".join(json.dumps(record) for record in _BLEU)
    command = [str(Path(sys.executable).with_name("llmops")), "metrics", "bleu", "--resamples", "50"]

    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout)["bleu"]["value"] == pytest.approx(48.530827)


def _compute(records: list[dict[str, Any]], folder: Path, *metrics: str, **options: Any) -> dict[str, Any]:
    file = folder / "records.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    found: dict[str, Any] = json.loads(compute_metrics(*metrics, file=file, **options))
    return found
