"""What the demo says about a stage."""

from datetime import UTC, datetime
from typing import Any

import pytest

from scripts.demo import describe, tell
from scripts.pipeline_run import StageRun

MANIFEST: dict[str, Any] = {
    "counts": {"kept": 1501, "set_aside": 32, "missing_answer": 22, "near_duplicate": 10, "from_sql": 73},
    "metrics": {"loss": 1.03512},
    "created_at": "2026-11-02T10:00:05Z",
}


def stage(
    state: str = "success", manifest: dict[str, Any] | None = None, reason: str = "", name: str = "clean"
) -> StageRun:
    return StageRun(name, state, datetime(2026, 11, 2, 10, 0, 0, tzinfo=UTC), 7.4, manifest, reason)


def test_rules_stand_behind_the_rows_they_set_aside_and_other_counts_apart() -> None:
    text = describe(MANIFEST)

    assert text == ("kept 1,501 · set aside 32 (missing_answer 22, near_duplicate 10) · from sql 73 · loss 1.035")


def test_artifact_from_before_the_stage_started_is_reused(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = MANIFEST | {"counts": {"kept": 1501, "set_aside": 0}}
    tell(stage(manifest=manifest | {"created_at": "2026-11-02T09:59:59Z"}))
    tell(stage(manifest=manifest))

    reused, made = capsys.readouterr().out.splitlines()

    assert "7 s  reused · kept 1,501" in reused
    assert "reused" not in made


def test_skipped_stage_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    tell(stage("skipped", reason="not done: the candidate already is the champion"))
    tell(stage("skipped"))

    assert capsys.readouterr().out.splitlines() == [
        "  clean          skipped: the candidate already is the champion",
        "  clean          skipped, as what it needs was not made",
    ]


def test_decision_is_not_told_as_if_it_were_a_stage(capsys: pytest.CaptureFixture[str]) -> None:
    tell(stage(name="publish_allowed"))
    tell(stage("skipped", name="publish_allowed"))

    assert capsys.readouterr().out == ""
