"""A person's answer: what is recorded of it, and that nothing is published without one outside development."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmops import artifacts, audit, signing
from llmops.errors import ConfigurationError, CorruptArtifactError, Refused, SignatureError
from llmops.governance.approval import approve_candidate, describe_decision
from llmops.manifest import Manifest
from llmops.publishing.releases import read_champion
from llmops.settings import Settings
from tests.publishing.small_lake import make_decision, publish


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The same lake, in production."""
    return settings.model_copy(update={"environment": "production", "require_approval": True})


@pytest.fixture
def decision(settings: Settings, adapter_folder: Path) -> Manifest:
    return make_decision(settings, adapter_folder)


def answer(settings: Settings, decision: Manifest, **changes: Any) -> Manifest:
    given = {"choice": "approve", "by": "Grace", "note": "read both reports"} | changes
    return approve_candidate(decision.uri, f"{settings.lake}/approvals/as_of=2026-03-07", settings=settings, **given)


def test_without_a_person_nothing_is_published(settings: Settings, decision: Manifest) -> None:
    with pytest.raises(Refused, match="llmops approve"):
        publish(settings, decision)

    assert read_champion(settings.lake, settings.trusted_key) is None


def test_an_approved_candidate_is_published_with_who_when_and_why(settings: Settings, decision: Manifest) -> None:
    before = datetime.now(UTC)
    approval = answer(settings, decision)

    release = publish(settings, decision, approval.uri)

    said = json.loads(artifacts.read_named(approval, "approval.json"))
    assert (said["choice"], said["by"], said["note"]) == ("approve", "Grace", "read both reports")
    assert before <= datetime.fromisoformat(said["at"]) <= datetime.now(UTC)
    assert said["decision"] == decision.digest
    assert {item.stage: item.digest for item in release.inputs} == {"gate": decision.digest, "approve": approval.digest}
    results = [(entry.action, entry.result) for _, entry, _ in audit.entries(settings.audit_log) if entry]
    assert results == [("approve", "begun"), ("approve", "done"), ("publish", "begun"), ("publish", "done")]


def test_a_rejection_is_recorded_and_ends_it(settings: Settings, decision: Manifest) -> None:
    with pytest.raises(Refused, match="Grace rejected the candidate: too short answers"):
        answer(settings, decision, choice="reject", note="too short answers")

    recorded = artifacts.read(f"{settings.lake}/approvals/as_of=2026-03-07", "approve")
    assert json.loads(artifacts.read_named(recorded, "approval.json"))["choice"] == "reject"
    with pytest.raises(Refused, match="Grace rejected"):
        publish(settings, decision, recorded.uri)


def test_an_approval_of_another_decision_does_not_count(
    settings: Settings, decision: Manifest, adapter_folder: Path
) -> None:
    approval = answer(settings, decision)
    other = make_decision(settings, adapter_folder, training_seed=1)

    with pytest.raises(Refused, match="another decision"):
        publish(settings, other, approval.uri)


def test_an_old_approval_does_not_count(settings: Settings, decision: Manifest) -> None:
    approval = answer(settings, decision, at=datetime.now(UTC) - timedelta(days=8))

    with pytest.raises(Refused, match="more than 7 days ago"):
        publish(settings, decision, approval.uri)


def test_an_approval_from_before_the_decision_does_not_count(settings: Settings, decision: Manifest) -> None:
    approval = answer(settings, decision, at=datetime.now(UTC) - timedelta(days=1))

    with pytest.raises(SignatureError, match="before the decision"):
        publish(settings, decision, approval.uri)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"by": " "}, "name who answered"),
        ({"by": "a\nb"}, "name who answered"),
        ({"note": "x" * 2_001}, "2001 characters"),
        ({"at": datetime(2999, 1, 1, tzinfo=UTC)}, "in the future"),
    ],
)
def test_an_answer_that_names_nobody_or_lies_in_the_future_is_refused(
    settings: Settings, decision: Manifest, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        answer(settings, decision, **changes)


def test_what_the_gate_refused_cannot_be_approved(settings: Settings, adapter_folder: Path) -> None:
    refused = make_decision(settings, adapter_folder, approved=False)

    with pytest.raises(Refused, match="perplexity rose"):
        answer(settings, refused)
    with pytest.raises(Refused, match="perplexity rose"):
        describe_decision(refused.uri, settings=settings)


def test_an_approval_signed_by_somebody_else_does_not_count(
    settings: Settings, decision: Manifest, tmp_path: Path
) -> None:
    approval = answer(settings, decision)
    keys = {"signing_key": tmp_path / "other/a.pem", "trusted_key": tmp_path / "other/b.pem"}
    forger = settings.model_copy(update=keys)
    signing.create_keys(settings=forger)
    unsigned = approval.model_copy(update={"signature": None})
    forged = unsigned.model_copy(update={"signature": signing.sign_manifest(unsigned, forger.signing_key)})

    for manifest in (unsigned, forged):
        Path(approval.uri, "_manifest.json").write_text(manifest.model_dump_json())
        with pytest.raises(SignatureError, match="approval"):
            publish(settings, decision, approval.uri)


def test_an_edited_approval_does_not_count(settings: Settings, decision: Manifest) -> None:
    with pytest.raises(Refused):
        answer(settings, decision, choice="reject")
    uri = f"{settings.lake}/approvals/as_of=2026-03-07"
    (path,) = Path(uri).glob("attempt-*/approval.json")
    path.write_text(path.read_text().replace('"reject"', '"approve"'))

    with pytest.raises(CorruptArtifactError, match=r"approval\.json differs"):
        publish(settings, decision, uri)


def test_an_approval_may_be_asked_for_in_development_too(settings: Settings, decision: Manifest) -> None:
    with pytest.raises(Refused, match="llmops approve"):
        publish(settings.model_copy(update={"environment": "development"}), decision)


def test_the_page_shows_reasons_and_reports_without_their_markup(settings: Settings, decision: Manifest) -> None:
    page = json.loads(describe_decision(decision.uri, settings=settings))

    assert "2026-03-07" in page["subject"]
    assert "- better" in page["body"]
    assert f"{settings.lake}/evaluations/as_of=2026-03-07" in page["body"]
    assert "`evaluation.json`" in page["body"]
    assert decision.digest[:12] in page["body"]
