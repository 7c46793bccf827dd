"""Multiple choice, against likelihoods computed one by one."""

from pathlib import Path
from typing import Any

import pytest
import torch

from llmops.evaluation.choice import rank_right_answers
from llmops.training.base import load_full
from llmops.training.examples import Example
from llmops.training.loss import measure_losses
from tests.training.samples import PAIRS, encode_pairs


@pytest.fixture
def model(tiny_model_folder: Path) -> Any:
    return load_full(tiny_model_folder)


def _mean_loss(model: Any, prompt: list[int], answer: list[int]) -> float:
    with torch.no_grad():
        chances = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].double().log_softmax(-1)
    places = range(len(prompt), len(prompt) + len(answer))
    return -sum(chances[place - 1, answer[place - len(prompt)]].item() for place in places) / len(answer)


def test_the_place_is_that_among_all_answers(model: Any, tokenizer: Any) -> None:
    examples = encode_pairs(tokenizer, PAIRS[:5])
    answers = [item.input_ids[item.prompt_tokens :] for item in examples]
    expected = []
    for own, item in enumerate(examples):
        losses = [_mean_loss(model, item.prompt, answer) for answer in answers]
        expected.append(1 + sum(loss <= losses[own] for place, loss in enumerate(losses) if place != own))

    # With as many choices as there are answers, the draw of wrong ones does not matter.
    ranks = rank_right_answers(model, examples, measure_losses(model, examples), asked=5, choices=5, seed=0)

    assert ranks == expected


def test_a_right_answer_that_is_certain_is_first_and_one_that_is_impossible_last(model: Any, tokenizer: Any) -> None:
    examples = encode_pairs(tokenizer, PAIRS[:6])

    ranks = [
        rank_right_answers(model, examples, [loss] * 6, asked=4, choices=3, seed=0) for loss in (0.0, float("inf"))
    ]

    assert ranks == [[1] * 4, [3] * 4]


def test_wrong_answers_are_other_ones_and_drawn_by_the_seed(model: Any, tokenizer: Any) -> None:
    examples = encode_pairs(tokenizer, PAIRS)
    losses = measure_losses(model, examples)

    draws = [rank_right_answers(model, examples, losses, asked=12, choices=4, seed=seed) for seed in (1, 1, 2)]

    assert draws[0] == draws[1] != draws[2]


def test_equal_answers_do_not_compete(model: Any, tokenizer: Any) -> None:
    first, second, *_ = encode_pairs(tokenizer, PAIRS)
    same = Example("again", [*second.prompt, *first.input_ids[first.prompt_tokens :]], second.prompt_tokens)

    assert rank_right_answers(model, [first, same], [1.0, 1.0], asked=2, choices=2, seed=0) == []
