"""Which tokens carry loss, and which examples meet in a step."""

import pytest
import torch

from llmops.training.batches import IGNORED, collate, count_tokens, plan_steps, split_batch
from llmops.training.examples import Example
from tests.training.samples import example

CPU = torch.device("cpu")
END = 0  # the id that pads as well: a label must not be lost for that


def _of_lengths(lengths: range) -> list[Example]:
    return [example(f"row-{tokens:03d}", range(tokens - 2), [7, END]) for tokens in lengths]


def test_only_answer_and_end_token_carry_loss() -> None:
    batch = collate([example("a", [5, 6, 7], [8, END]), example("b", [5], [9, 9, 9, 9, END])], CPU)

    assert batch.input_ids.tolist() == [[5, 6, 7, 8, END, 0], [5, 9, 9, 9, 9, END]]
    assert batch.labels.tolist() == [
        [IGNORED, IGNORED, IGNORED, 8, END, IGNORED],
        [IGNORED, 9, 9, 9, 9, END],
    ]


def test_an_epoch_visits_every_example_once() -> None:
    examples = _of_lengths(range(3, 53))

    steps = plan_steps(examples, batch_size=4, max_tokens=10**9, max_epochs=2, seed=0)

    visited = [item.row_id for step in steps for item in step]
    assert sorted(visited[:50]) == sorted(visited[50:]) == [item.row_id for item in examples]
    assert [len(step) for step in steps].count(4) == 24  # 50 examples: twelve steps of four, one of two, twice


@pytest.mark.parametrize(("max_tokens", "spent"), [(5, 6), (6, 6), (11, 6), (12, 12), (13, 12), (60, 60)])
def test_training_stops_before_the_step_that_would_exceed_the_budget(max_tokens: int, spent: int) -> None:
    pair = example("a", [1], [2, END])

    steps = plan_steps([pair] * 10, batch_size=2, max_tokens=max_tokens, max_epochs=2, seed=0)

    assert sum(map(count_tokens, steps)) == spent  # a step costs six; the first is taken whatever it costs


def test_examples_of_similar_length_share_a_step() -> None:
    steps = plan_steps(_of_lengths(range(3, 67)), batch_size=4, max_tokens=10**9, max_epochs=1, seed=0)

    assert {max(item.tokens for item in step) - min(item.tokens for item in step) for step in steps} == {3}


def test_the_seed_decides_the_order() -> None:
    examples = _of_lengths(range(3, 67))

    plans = [plan_steps(examples, batch_size=4, max_tokens=900, max_epochs=1, seed=seed) for seed in (1, 1, 2)]

    assert plans[0] == plans[1]
    assert plans[0] != plans[2]


@pytest.mark.parametrize(
    ("max_tokens", "expected"),
    [
        (11, [[3, 4], [5], [6]]),
        (12, [[3, 4], [5, 6]]),
        (24, [[3, 4, 5, 6]]),
        (23, [[3, 4, 5], [6]]),
        (4, [[3], [4], [5], [6]]),
    ],
)
def test_passes_hold_no_more_padded_tokens_than_allowed(max_tokens: int, expected: list[list[int]]) -> None:
    shares = list(split_batch(_of_lengths(range(3, 7))[::-1], max_tokens))

    assert [[item.tokens for item in share] for share in shares] == expected
