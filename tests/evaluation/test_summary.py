"""Figures over a test part, against values computed by hand."""

import math

import pytest

from llmops.evaluation.summary import Score, summarise


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
    assert figures["token_f1"] == pytest.approx({"value": 0.5, "low": 0.402, "high": 0.598}, abs=0.015)
    assert figures["rouge_l"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert figures["perplexity"] == pytest.approx({"value": math.e, "low": math.e, "high": math.e})


def test_the_seed_decides_the_samples() -> None:
    scores = [Score(f"row-{number}", float(number), 3, token_f1=0.1 * number, rouge_l=0.5) for number in range(9)]

    summaries = [summarise(scores, resamples=100, seed=seed) for seed in (1, 1, 2)]

    assert summaries[0] == summaries[1]
    assert summaries[0] != summaries[2]
