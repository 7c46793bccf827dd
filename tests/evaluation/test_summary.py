"""Figures over a test part, against values computed by hand."""

import math

import numpy as np
import pytest
from sacrebleu import corpus_bleu
from sklearn.metrics import accuracy_score, f1_score, hamming_loss

from llmops.evaluation.facts import KINDS
from llmops.evaluation.summary import Score, summarise, summarise_slices
from llmops.evaluation.text_scores import bleu_counts


def test_perplexity_counts_tokens_and_text_scores_count_answers() -> None:
    scores = [
        Score("a", 6.0, 2, token_f1=0.5, rouge_l=0.2),
        Score("b", 2.0, 6, token_f1=0.25, rouge_l=0.4),
        Score("c", 4.0, 4),
    ]

    figures = summarise(scores, resamples=100, seed=0)

    assert figures["perplexity"]["value"] == pytest.approx(math.exp(12 / 12))
    assert figures["token_f1"]["value"] == pytest.approx(0.375)
    assert figures["rouge_l"]["value"] == pytest.approx(0.3)


def test_an_interval_covers_what_sampling_examples_again_gives() -> None:
    answered = [Score(f"row-{number}", 1.0, 1, token_f1=float(number % 2), rouge_l=1.0) for number in range(100)]

    figures = summarise(answered, resamples=4_000, seed=0)

    # Mean of 100 coin flips: 0.5 with standard error 0.05, hence 0.5 ± 1.96 * 0.05.
    assert figures["token_f1"] == pytest.approx({"value": 0.5, "low": 0.402, "high": 0.598, "n": 100}, abs=0.015)
    assert figures["rouge_l"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 100}
    assert figures["perplexity"] == pytest.approx({"value": math.e, "low": math.e, "high": math.e, "n": 100})


def test_the_seed_decides_the_samples() -> None:
    scores = [Score(f"row-{number}", float(number), 3, token_f1=0.1 * number, rouge_l=0.5) for number in range(9)]

    summaries = [summarise(scores, resamples=100, seed=seed) for seed in (1, 1, 2)]

    assert summaries[0] == summaries[1]
    assert summaries[0] != summaries[2]


def test_label_figures_are_those_of_scikit_learn() -> None:
    draw = np.random.default_rng(1)
    truth, guess = ([[int(draw.random() < 0.3) for _ in KINDS] for _ in range(40)] for _ in range(2))
    for row in (*truth, *guess):
        row[0] = 0  # a kind that is neither expected nor found
    pairs = zip(truth, guess, strict=True)
    scores = [
        Score(str(place), 1.0, 1, expected_kinds=wanted, found_kinds=found)
        for place, (wanted, found) in enumerate(pairs)
    ]

    figures = {name: figure["value"] for name, figure in summarise(scores, resamples=10, seed=0).items()}

    for average in ("micro", "macro", "weighted"):
        expected = f1_score(truth, guess, average=average, zero_division=0)
        assert figures[f"kinds_f1_{average}"] == pytest.approx(expected)
    assert figures["kinds_accuracy"] == pytest.approx(accuracy_score(truth, guess))
    assert figures["kinds_hamming_loss"] == pytest.approx(hamming_loss(truth, guess))


def test_bleu_is_that_of_the_corpus_not_a_mean_of_sentences() -> None:
    pairs = [
        ("The parcel arrives on Monday or Tuesday.", "The parcel arrives on Monday."),
        ("Returns are free within 30 days of delivery.", "Returns are free within 30 days."),
        ("Write to us before the parcel leaves.", "You can write to us before it leaves."),
    ]
    scores = [Score(text, 1.0, 1, bleu_counts=bleu_counts([text], answer)) for text, answer in pairs]

    found = summarise(scores, resamples=200, seed=0)["bleu"]

    expected = corpus_bleu([answer for _, answer in pairs], [[text for text, _ in pairs]]).score
    assert found["value"] == pytest.approx(expected)
    assert found["low"] < expected < found["high"]


def test_places_among_choices_give_accuracy_and_precision() -> None:
    scores = [Score(str(place), 1.0, 1, choice_rank=rank) for place, rank in enumerate((1, 1, 2, 4))]

    figures = summarise(scores, resamples=10, seed=0)

    assert figures["choice_accuracy"]["value"] == 2 / 4
    assert figures["choice_precision_at_2"]["value"] == pytest.approx((0.5 + 0.5 + 0.5 + 0) / 4)


def test_what_was_not_measured_has_no_figure() -> None:
    figures = summarise([Score("a", 1.0, 1, words=3), Score("b", 1.0, 1)], resamples=10, seed=0)

    assert set(figures) == {"perplexity", "words"}
    assert figures["words"]["n"] == 1


def test_slices_hold_the_figures_of_their_examples_alone() -> None:
    scores = [
        Score(str(place), float(place), 1, token_f1=place / 4, slices={"source": "faq" if place < 2 else "chats"})
        for place in range(4)
    ]

    slices = summarise_slices({"candidate": scores, "untuned": scores[::-1]}, resamples=10, seed=0)

    assert list(slices) == ["source"]
    assert list(slices["source"]) == ["chats", "faq"]
    assert slices["source"]["faq"]["candidate"]["token_f1"]["value"] == pytest.approx((0 + 0.25) / 2)
    assert slices["source"]["chats"]["untuned"]["perplexity"]["value"] == pytest.approx(math.exp((2 + 3) / 2))
