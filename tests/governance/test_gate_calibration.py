"""How often the gate decides by chance, by simulation from numbers that two real models gave.

`measured_pairs.json` holds what SmolLM2-135M scored on the 46 test prompts of the sample shop after two fine-tunings
that differ in their seed only: the first is `one`, the second `two`. Prompts are drawn from them with replacement, and
on each one a coin says which model's numbers are the candidate's. So the two models are equal by construction, and
differ on single prompts as much as two fine-tunings do (standard deviation of loss 0.114 nats a token, of token F1
0.092).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from llmops.governance.config import GateConfig
from llmops.governance.gate import decide

_PAIRS = json.loads(Path(__file__).with_name("measured_pairs.json").read_text(encoding="utf-8"))
_CONFIG = GateConfig(resamples=499)  # enough for a p-value of 0.025, and quick
_OF_ANSWERS = ("token_f1", "refused", "guarded", "empty", "length_error", "reading_ease")


def simulate(
    draw: np.random.Generator, *, prompts: int, answered: int, points: float = 0.0, nats: float = 0.0
) -> dict[str, list[dict[str, Any]]]:
    """Scores of equal models, or of a candidate whose token F1 is higher, or loss a token lower, by so much on average.

    A gain differs from prompt to prompt, from nothing to twice the mean.
    """
    scores: dict[str, list[dict[str, Any]]] = {"candidate": [], "untuned": []}
    for number in range(prompts):
        pair = list(_PAIRS[draw.integers(len(_PAIRS))].values())
        draw.shuffle(pair)
        for rows, row in zip(scores.values(), pair, strict=True):
            is_given = number < answered
            rows.append(
                {name: value for name, value in row.items() if is_given or name not in _OF_ANSWERS}
                | {"row_id": f"row-{number}"}
            )
        own = scores["candidate"][-1]
        own["loss"] -= 2 * nats * draw.random() * own["answer_tokens"]
        if "token_f1" in own:
            own["token_f1"] = min(own["token_f1"] + 2 * points * draw.random(), 1.0)
    return scores


def count_approvals(repetitions: int, **settings: Any) -> tuple[int, int]:
    """How often a candidate is approved, and how often one of the gains is found, harm or no harm."""
    draw, approved, gained = np.random.default_rng(11), 0, 0
    for _ in range(repetitions):
        decision = decide(simulate(draw, **settings), [], _CONFIG)
        approved += decision.approved
        gained += any(check.passed for check in decision.checks if check.kind == "gain")
    return approved, gained


@pytest.mark.parametrize(("prompts", "answered"), [(46, 24), (64, 64)])
def test_an_equal_candidate_is_approved_at_most_as_often_as_alpha(prompts: int, answered: int) -> None:
    approved, gained = count_approvals(400, prompts=prompts, answered=answered)

    # More would refute alpha with a confidence of 99.9 %: a failure is no bad luck.
    most = stats.binom.ppf(0.999, 400, _CONFIG.alpha)
    assert approved <= gained <= most
    assert gained > 0  # the test is not merely one that never finds anything


@pytest.mark.parametrize(
    ("gain", "prompts", "answered"),
    [
        ({"points": 0.05}, 64, 64),  # token F1 five points higher, nothing else
        ({"points": 0.05}, 200, 64),  # likewise, on as many prompts as `evaluate` takes by default
        ({"nats": 0.0513}, 64, 64),  # perplexity 5 % lower, nothing else
        ({"points": 0.05, "nats": 0.0513}, 46, 46),  # both, on the quickstart's prompts, all of them answered
        ({"nats": 0.2}, 46, 24),  # perplexity 18 % lower, as the quickstart measures
    ],
)
def test_a_better_candidate_is_approved_four_times_in_five(gain: dict[str, float], prompts: int, answered: int) -> None:
    approved, _ = count_approvals(150, prompts=prompts, answered=answered, **gain)

    # Fewer would be expected of a power of 0.8 in one of a thousand runs.
    assert approved >= stats.binom.ppf(0.001, 150, 0.8)
    assert approved / 150 >= 0.8


def test_a_worse_candidate_is_hardly_ever_approved() -> None:
    approved, _ = count_approvals(150, prompts=100, answered=100, points=-0.05)

    assert approved / 150 <= _CONFIG.alpha


def test_a_gain_bought_with_refusals_is_not_approved() -> None:
    draw, approved = np.random.default_rng(12), 0
    for _ in range(100):
        scores = simulate(draw, prompts=100, answered=100, points=0.05)
        for row in scores["candidate"]:
            row["refused"] = float(draw.random() < 0.15)  # 15 of 100 answers refuse, 10 are the limit
        approved += decide(scores, [], _CONFIG).approved

    assert approved / 100 <= _CONFIG.alpha


def test_the_two_real_models_are_told_apart_by_nobody() -> None:
    scores: dict[str, list[dict[str, Any]]] = {"candidate": [], "untuned": []}
    for number, pair in enumerate(_PAIRS):
        for rows, row in zip(scores.values(), (pair["one"], pair["two"]), strict=True):
            rows.append({**row, "row_id": f"row-{number}"})

    decision = decide(scores, [], _CONFIG)

    assert not decision.approved
    assert {check.kind for check in decision.checks if not check.passed} == {"gain"}
