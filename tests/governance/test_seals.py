"""The gate's decision is signed and sealed, and taken again when what it rests on is not the same any more."""

import json
from pathlib import Path
from typing import Any

from llmops import artifacts, signing
from llmops.governance.config import GateConfig
from tests.governance.lakes import commit, commit_evaluation, gate_candidate, settings_for

CONFIG = GateConfig()
MODELS: dict[str, Any] = {}


def test_a_decision_seals_all_that_stands_behind_it(tmp_path: Path) -> None:
    old = commit(f"{tmp_path}/old", "gate")
    champion = commit(f"{tmp_path}/releases/one", "publish", [old])
    evaluation = commit_evaluation(str(tmp_path), MODELS, champion=champion)

    made = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    signing.verify_manifest(made, settings_for(f"{tmp_path}/decisions").trusted_key)
    found = [artifacts.find(str(path.parent)) for path in tmp_path.rglob("_manifest.json")]
    behind = {item.digest for item in found if item and item.stage not in {"gate", "publish"}}
    assert set(made.seals or {}) == behind
    assert len(behind) == 9  # evaluation, adapter, features, and three stages of each of two days


def test_a_rerun_takes_an_unchanged_decision_as_it_is(tmp_path: Path) -> None:
    evaluation = commit_evaluation(str(tmp_path), MODELS)

    first = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    assert gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG) == first


def test_what_was_made_anew_is_decided_on_anew_with_the_same_digest(tmp_path: Path) -> None:
    evaluation = commit_evaluation(str(tmp_path), MODELS)
    first = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)
    path = tmp_path / "adapters/_manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "created_at": "2026-03-03T00:00:00Z"}))

    second = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    assert second.seals != first.seals
    assert second.digest == first.digest


def test_an_altered_decision_is_not_taken_for_the_gates_own(tmp_path: Path) -> None:
    evaluation = commit_evaluation(str(tmp_path), MODELS)
    first = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)
    path = tmp_path / "decisions/_manifest.json"
    path.write_text(first.model_copy(update={"metrics": {"approved": 1.0}}).model_dump_json())

    second = gate_candidate(evaluation.uri, f"{tmp_path}/decisions", config=CONFIG)

    assert second.metrics == {"approved": 0.0}
    signing.verify_manifest(second, settings_for(f"{tmp_path}/decisions").trusted_key)
