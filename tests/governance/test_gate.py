"""When a candidate may be published, case by case."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from llmops import artifacts
from llmops.errors import MissingArtifactError
from llmops.governance.config import GateConfig
from llmops.governance.gate import Decision, decide
from llmops.governance.stage import gate_candidate
from llmops.guards.personal_data import TYPES
from tests.governance.lakes import DAYS, commit, commit_evaluation
from tests.training.samples import read_json

CONFIG = GateConfig(min_perplexity_gain=0.1, max_token_f1_loss=0.02)


def model(perplexity: float | None, token_f1: float | None) -> dict[str, dict[str, float | None]]:
    return {"perplexity": {"value": perplexity}, "token_f1": {"value": token_f1}}


BETTER = {"candidate": model(8.0, 0.4), "untuned": model(20.0, 0.3)}


@pytest.mark.parametrize(
    ("models", "approved"),
    [
        (BETTER, True),
        ({"candidate": model(18.0, 0.3), "untuned": model(20.0, 0.3)}, True),  # exactly a tenth better
        ({"candidate": model(18.1, 0.3), "untuned": model(20.0, 0.3)}, False),
        ({"candidate": model(20.0, 0.9), "untuned": model(20.0, 0.3)}, False),
        ({"candidate": model(8.0, 0.29), "untuned": model(20.0, 0.3)}, True),  # within the loss allowed
        ({"candidate": model(8.0, 0.27), "untuned": model(20.0, 0.3)}, False),
        ({**BETTER, "champion": model(9.0, 0.41)}, True),
        ({**BETTER, "champion": model(8.5, 0.41)}, False),  # better than untuned, not enough than the champion
        ({**BETTER, "champion": model(7.0, 0.41)}, False),
        ({**BETTER, "champion": model(9.0, 0.5)}, False),  # says less of what it should than the champion
        ({**BETTER, "champion": None}, False),
        ({**BETTER, "champion": model(None, 0.4)}, False),
        ({**BETTER, "candidate": model(math.nan, 0.4)}, False),
        ({**BETTER, "candidate": model(8.0, math.nan)}, False),
        ({**BETTER, "untuned": model(math.inf, 0.3)}, False),
        ({**BETTER, "candidate": {"perplexity": {"value": 8.0}}}, False),
        ({"candidate": BETTER["candidate"]}, False),
        ({"untuned": BETTER["untuned"]}, False),
        ({}, False),
    ],
)
def test_a_candidate_must_be_better_by_every_number(models: dict[str, Any], approved: bool) -> None:
    assert decide(models, [], CONFIG).approved is approved


def test_without_a_gain_asked_for_an_equal_candidate_is_still_refused() -> None:
    config = GateConfig(min_perplexity_gain=0.0, max_token_f1_loss=0.0)

    assert not decide({"candidate": model(8.0, 0.3), "untuned": model(8.0, 0.3)}, [], config).approved
    assert decide({"candidate": model(7.9, 0.3), "untuned": model(8.0, 0.3)}, [], config).approved


def test_a_fault_in_the_lineage_outweighs_every_gain() -> None:
    assert not decide(BETTER, ["the raw data of 2026-03-01 was not redacted"], CONFIG).approved


def test_reasons_give_every_number_and_failures_first() -> None:
    reasons = decide({**BETTER, "champion": model(8.5, 0.3)}, [], CONFIG).reasons

    assert reasons[0] == "failed: perplexity 8.000, the champion's 8.500; at most 7.650 passes"
    assert "passed: perplexity 8.000, the untuned's 20.000; at most 18.000 passes" in reasons
    assert "passed: token F1 0.400, the untuned's 0.300; at least 0.280 passes" in reasons
    assert len(reasons) == 5


def test_no_check_is_no_approval() -> None:
    assert not Decision(()).approved


def test_an_approval_is_an_artifact(tmp_path: Path) -> None:
    evaluation = commit_evaluation(str(tmp_path), BETTER)

    made = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    decision = read_json(made, "decision.json")
    assert decision["approved"] is True
    assert len(decision["reasons"]) == 3
    assert made.metrics == {"approved": 1.0}
    assert made.day == DAYS[-1]


def test_a_refusal_is_an_artifact_like_an_approval(tmp_path: Path) -> None:
    evaluation = commit_evaluation(str(tmp_path), {**BETTER, "candidate": model(25.0, 0.4)})

    made = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    assert read_json(made, "decision.json")["approved"] is False
    assert made.metrics == {"approved": 0.0}


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
    evaluation = commit(f"{tmp_path}/evaluations", "evaluate", evaluation={"models": BETTER})

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
    evaluation = commit_evaluation(str(tmp_path), {**BETTER, "champion": model(12.0, 0.3)}, champion=champion)
    shutil.rmtree(tmp_path / "old")

    made = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    assert read_json(made, "decision.json")["approved"] is True


def test_equal_evaluations_give_equal_decisions(tmp_path: Path) -> None:
    decisions = []
    for name in ("one", "two"):
        evaluation = commit(f"{tmp_path}/evaluations", "evaluate", evaluation={"models": BETTER})
        decisions.append(gate_candidate(evaluation.uri, f"{tmp_path}/{name}", config=CONFIG))

    assert decisions[0].digest == decisions[1].digest


def test_a_missing_evaluation_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifactError, match="run `llmops evaluate` first"):
        gate_candidate(f"{tmp_path}/none", f"{tmp_path}/decisions", config=CONFIG)

    assert artifacts.find(f"{tmp_path}/decisions") is None
