"""When a candidate may be published, case by case; how often chance decides is in test_gate_calibration."""

import copy
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmops import artifacts
from llmops.errors import MissingArtifactError
from llmops.governance.config import GateConfig
from llmops.governance.gate import Decision, decide, find_unjudged
from llmops.guards.personal_data import TYPES
from tests.governance.lakes import DAYS, commit, commit_evaluation, gate_candidate, make_rows
from tests.training.samples import read_json

CONFIG = GateConfig()
Scores = dict[str, list[dict[str, Any]]]
_DRAW = np.random.default_rng(0)
_LOSSES = _DRAW.normal(3.0, 0.5, 40)
_NOISE = _DRAW.normal(0.0, 0.1, 40)
_NOISE -= _NOISE.mean()
_F1 = _DRAW.uniform(0.1, 0.5, 40)


def model(loss_change: float = 0.0, f1_change: float = 0.0, **others: Any) -> list[dict[str, Any]]:
    """Rows of a model whose mean loss a token, and token F1, are changed by exactly that, with noise on each prompt."""
    return make_rows(_LOSSES + _NOISE + loss_change, _F1 + _NOISE / 2 + f1_change, **others)


def rival(**others: Any) -> list[dict[str, Any]]:
    return make_rows(_LOSSES, _F1, **others)


BETTER: Scores = {"candidate": model(-0.3, 0.1), "untuned": rival()}


@pytest.mark.parametrize(
    ("candidate", "approved"),
    [
        (model(-0.3, 0.1), True),
        (model(-0.3, 0.0), True),  # one gain is enough
        (model(0.0, 0.1), True),
        (model(0.0, 0.0), False),  # equal
        (rival(), False),  # the same answers
        (model(-0.005, 0.0), False),  # half a per cent: better, if at all, by too little
        (model(-0.3, -0.1), False),  # likelier references, but answers that are further from them
        (model(0.2, 0.1), False),  # the other way round
        (model(-0.3, 0.1, refused=1.0), False),
        (model(-0.3, 0.1, guarded=1.0), False),
        (model(-0.3, 0.1, empty=1.0), False),
        (model(-0.3, 0.1, length_error=0.6), False),
        (model(-0.3, 0.1, length_error=0.4), True),
        (model(-0.3, 0.1, reading_ease=39.0), False),
        (model(-0.3, 0.1, reading_ease=41.0), True),
    ],
)
def test_a_candidate_must_be_better_by_something_and_worse_by_nothing(
    candidate: list[dict[str, Any]], approved: bool
) -> None:
    assert decide({"candidate": candidate, "untuned": rival()}, [], CONFIG).approved is approved


@pytest.mark.parametrize(
    ("champion", "approved"),
    [
        (rival(), True),
        (model(-0.3, 0.1), False),  # as good as the candidate, which beats the untuned model
        (model(-0.6, 0.1), False),
        (make_rows(_LOSSES - 0.1, _F1), True),  # worse than the candidate, better than the untuned model
    ],
)
def test_the_champion_has_to_be_beaten_too(champion: list[dict[str, Any]], approved: bool) -> None:
    assert decide({**BETTER, "champion": champion}, [], CONFIG).approved is approved


def test_a_gain_on_the_whole_does_not_make_up_for_a_loss_in_a_slice() -> None:
    scores = copy.deepcopy(BETTER)
    for rows in scores.values():
        for row in rows[:12]:
            row["slices"] = {"source": "chats"}
    assert decide(scores, [], CONFIG).approved

    for row in scores["candidate"][:12]:
        row["loss"] += 0.6 * row["answer_tokens"]
    decision = decide(scores, [], CONFIG)

    assert not decision.approved
    failed = [check for check in decision.checks if not check.passed]
    assert [(check.kind, check.metric, check.slice) for check in failed] == [("harm", "perplexity", "source=chats")]


def test_a_slice_of_a_few_prompts_is_named_and_not_judged() -> None:
    scores = copy.deepcopy(BETTER)
    for row in scores["candidate"][:9]:
        row["slices"] = {"source": "chats"}
        row["loss"] += 0.5 * row["answer_tokens"]

    assert find_unjudged(scores, CONFIG) == {"source=chats": 9}
    assert decide(scores, [], CONFIG).approved
    assert not decide(scores, [], GateConfig(min_slice_examples=9)).approved


def test_reading_ease_counts_only_where_the_rival_has_it() -> None:
    other_language = {name: [{**row} for row in rows] for name, rows in BETTER.items()}
    for row in (*other_language["candidate"], *other_language["untuned"][5:]):
        del row["reading_ease"]

    assert decide(other_language, [], CONFIG).approved
    assert find_unjudged(other_language, CONFIG) == {"reading_ease against the untuned": 5}
    assert not decide({**other_language, "untuned": rival()}, [], CONFIG).approved  # lost by the candidate alone


def _drop_the_last(scores: Scores) -> None:
    scores["candidate"].pop()


def _swap_two(scores: Scores) -> None:
    scores["candidate"][:2] = scores["candidate"][1::-1]


def _repeat_one(scores: Scores) -> None:
    for rows in scores.values():
        rows[1] = rows[0]


def _lose_a_number(scores: Scores) -> None:
    scores["untuned"][3]["loss"] = math.nan


def _measure_no_refusals(scores: Scores) -> None:
    for row in scores["candidate"]:
        del row["refused"]


def _answer_nothing(scores: Scores) -> None:
    for row in scores["candidate"]:
        del row["token_f1"]


def _keep_one(scores: Scores) -> None:
    for rows in scores.values():
        del rows[1:]


@pytest.mark.parametrize(
    "spoil",
    [
        _drop_the_last,
        _swap_two,
        _repeat_one,
        _lose_a_number,
        _measure_no_refusals,
        _answer_nothing,
        _keep_one,
        lambda scores: scores.pop("untuned"),
        lambda scores: scores.pop("candidate"),
        lambda scores: scores.clear(),
        lambda scores: scores.update(champion=[]),
        lambda scores: scores["candidate"][0].update(loss=math.inf),
    ],
)
def test_what_was_not_measured_alike_is_not_approved(spoil: Callable[[Scores], Any]) -> None:
    scores = copy.deepcopy(BETTER)
    spoil(scores)

    assert not decide(scores, [], CONFIG).approved


def test_a_fault_in_the_lineage_outweighs_every_gain() -> None:
    assert not decide(BETTER, ["the raw data of 2026-03-01 was not redacted"], CONFIG).approved


def test_every_check_tells_its_numbers() -> None:
    scores = {"candidate": model(math.log(0.9), 0.0), "untuned": rival()}  # perplexity a tenth lower

    decision = decide(scores, [], CONFIG)

    gain, other = (check.as_record() for check in decision.checks if check.kind == "gain")
    assert (gain["metric"], gain["rival"], gain["n"], gain["alpha"]) == ("perplexity", "untuned", 40, 0.025)
    assert gain["effect"] == pytest.approx(0.1)
    assert gain["candidate"] == pytest.approx(0.9 * gain["rivals"])
    assert gain["interval"][0] < 0.1 < gain["interval"][1]
    assert gain["p"] <= 0.025
    assert 0 < gain["power"] <= 1
    assert gain["power_at"] == pytest.approx(0.05)
    assert other["passed"] is False
    harms = [check.as_record() for check in decision.checks if check.kind == "harm"]
    assert {"refused", "guarded", "empty", "length_error", "reading_ease", "token_f1", "perplexity"} == {
        check["metric"] for check in harms
    }
    numbers = {"n", "effect", "interval", "p", "power", "alpha", "bound", "candidate", "rivals"}
    assert all(numbers <= set(check) for check in harms)
    assert all(check["bound"] < 0 for check in harms)


def test_reasons_name_failures_first_and_gains_that_were_not_needed_next() -> None:
    reasons = decide({"candidate": model(-0.3, 0.0, refused=1.0), "untuned": rival()}, [], CONFIG).reasons

    # 40 of 40 prompts are worse; with half a prompt in each cell, -40 / 42.
    assert reasons[0].startswith("failed: refused 1.000, the untuned's 0.000 on 40 prompts: -0.952 [")
    assert reasons[1].startswith("not needed: token_f1 ")
    assert all(reason.startswith("passed: ") for reason in reasons[2:])
    assert any("power" in reason and "p " in reason and "40 prompts" in reason for reason in reasons)


def test_without_a_gain_both_are_failures() -> None:
    reasons = decide({"candidate": rival(), "untuned": rival()}, [], CONFIG).reasons

    assert [reason.split()[:2] for reason in reasons[:2]] == [["failed:", "perplexity"], ["failed:", "token_f1"]]


def test_no_check_is_no_approval() -> None:
    assert not Decision(()).approved


def test_an_approval_is_an_artifact(tmp_path: Path) -> None:
    evaluation = commit_evaluation(str(tmp_path), BETTER)

    made = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    decision = read_json(made, "decision.json")
    assert decision["approved"] is True
    assert len(decision["reasons"]) == len(decision["checks"]) == 2 + 7 + 2 + 1
    assert {check["kind"] for check in decision["checks"]} == {"gain", "harm", "lineage"}
    assert decision["unjudged"] == {}
    assert made.metrics == {"approved": 1.0}
    assert made.day == DAYS[-1]


def test_a_refusal_is_an_artifact_like_an_approval(tmp_path: Path) -> None:
    evaluation = commit_evaluation(str(tmp_path), {**BETTER, "candidate": model(0.3, 0.0)})

    made = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    assert read_json(made, "decision.json")["approved"] is False
    assert made.metrics == {"approved": 0.0}


def test_a_decision_holds_no_number_that_json_does_not_know(tmp_path: Path) -> None:
    same = {"candidate": rival(), "untuned": rival()}  # no scatter: standard errors of 0
    evaluation = commit_evaluation(str(tmp_path), same)

    made = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    def refuse(name: str) -> None:
        pytest.fail(name)

    json.loads(artifacts.read_named(made, "decision.json"), parse_constant=refuse)


def test_a_day_that_was_not_redacted_is_refused(tmp_path: Path) -> None:
    evaluation = commit_evaluation(str(tmp_path), BETTER, redacted=DAYS[1:])

    made = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    decision = read_json(made, "decision.json")
    assert decision["approved"] is False
    every = ", ".join(sorted(TYPES))
    assert f"failed: {every} not redacted from the raw data of 2026-03-01" in decision["reasons"]


def test_a_redaction_that_looked_for_less_than_demanded_is_refused(tmp_path: Path) -> None:
    evaluation = commit_evaluation(str(tmp_path), BETTER, redacts=[kind for kind in TYPES if kind != "IBAN"])

    made = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    assert read_json(made, "decision.json")["reasons"][:2] == [
        "failed: IBAN not redacted from the raw data of 2026-03-01",
        "failed: IBAN not redacted from the raw data of 2026-03-02",
    ]


def test_a_candidate_from_nowhere_is_refused(tmp_path: Path) -> None:
    evaluation = commit(f"{tmp_path}/evaluations", "evaluate", scores=BETTER)

    made = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    assert read_json(made, "decision.json")["approved"] is False


def test_a_broken_lineage_is_refused_and_judged_again_once_repaired(tmp_path: Path) -> None:
    evaluation = commit_evaluation(str(tmp_path), BETTER)
    shutil.move(tmp_path / f"redacted/ds={DAYS[0]}", tmp_path / "elsewhere")

    broken = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)
    shutil.move(tmp_path / "elsewhere", tmp_path / f"redacted/ds={DAYS[0]}")
    repaired = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    assert read_json(broken, "decision.json")["reasons"][0].startswith("failed: the lineage is broken")
    assert read_json(repaired, "decision.json")["approved"] is True


def test_the_champions_own_lineage_does_not_count(tmp_path: Path) -> None:
    old = commit(f"{tmp_path}/old", "gate")
    champion = commit(f"{tmp_path}/releases/one", "publish", [old])
    evaluation = commit_evaluation(str(tmp_path), {**BETTER, "champion": rival()}, champion=champion)
    shutil.rmtree(tmp_path / "old")

    made = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    assert read_json(made, "decision.json")["approved"] is True


def test_equal_evaluations_give_equal_decisions(tmp_path: Path) -> None:
    decisions = []
    for name in ("one", "two"):
        evaluation = commit(f"{tmp_path}/evaluations", "evaluate", scores=BETTER)
        decisions.append(gate_candidate(evaluation.uri, f"{tmp_path}/{name}", config=CONFIG))

    assert decisions[0].digest == decisions[1].digest


def test_a_missing_evaluation_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifactError, match="run `llmops evaluate` first"):
        gate_candidate(f"{tmp_path}/none", f"{tmp_path}/decisions", config=CONFIG)

    assert artifacts.find(f"{tmp_path}/decisions") is None
