"""A candidate waits for a person under a real Airflow: rejected, it is not published; approved, it is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops import audit
from llmops.publishing.releases import read_champion
from llmops.settings import Settings
from scripts.local_airflow import PROJECT, USER
from tests.dags.test_scheduler import Site, running_site, state_of, states, trigger, wait_until

CONF = {"recipe": "tiny", "source": str(PROJECT / "examples/shop"), "day": "2026-11-02", "train": "yes"}


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("production")
    with running_site(root, tiny_model_folder, LLMOPS_ENVIRONMENT="production") as site:
        yield site


def question(site: Site, run_id: str) -> dict[str, Any]:
    """What the run asks, once it does."""
    path = f"dags/llmops_pipeline/dagRuns/{run_id}/hitlDetails"
    found: list[dict[str, Any]] = []

    def is_asked() -> bool:
        assert state_of(site, run_id) in {"queued", "running"}, states(site, run_id)
        found[:] = site.client.call("GET", path)["hitl_details"]
        return bool(found)

    for _ in range(4):  # training before it takes minutes on a loaded machine
        try:
            wait_until(is_asked)
            break
        except AssertionError:
            if state_of(site, run_id) not in {"queued", "running"}:
                raise
    return found[0]


def answer(site: Site, run_id: str, option: str, note: str) -> dict[str, str]:
    """Answer as a person's browser does, and wait for the run to end; the states of its tasks."""
    path = f"dags/llmops_pipeline/dagRuns/{run_id}/taskInstances/ask/-1/hitlDetails"
    site.client.call("PATCH", path, {"chosen_options": [option], "params_input": {"note": note}})
    wait_until(lambda: state_of(site, run_id) in {"success", "failed"})
    assert state_of(site, run_id) == "success"
    return states(site, run_id)


def recorded(site: Site) -> dict[str, Any]:
    (path,) = (site.lake / "approvals/as_of=2026-11-02").glob("attempt-*/approval.json")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_a_person_says_decides_and_is_recorded(production: Site) -> None:
    home = production.lake.parent
    settings = Settings(home=home)
    first = trigger(production, "llmops_pipeline", CONF)
    asked = question(production, first)

    after = answer(production, first, "Reject", "$(touch /tmp/no) too short")

    assert "perplexity" in asked["body"]
    assert str(production.lake / "evaluations/as_of=2026-11-02") in asked["body"]
    assert (after["approve"], after["publish"]) == ("skipped", "skipped")
    said = recorded(production)
    assert (said["choice"], said["by"], said["note"]) == ("reject", USER, "$(touch /tmp/no) too short")
    assert read_champion(settings.lake, settings.trusted_key) is None

    second = trigger(production, "llmops_pipeline", CONF)
    question(production, second)
    after = answer(production, second, "Approve", "")

    assert (after["approve"], after["publish"]) == ("success", "success")
    champion = read_champion(settings.lake, settings.trusted_key)
    assert champion is not None
    assert "approve" in {item.stage for item in champion.release.inputs}
    entries = [entry for _, entry, _ in audit.entries(settings.audit_log) if entry and entry.result != "begun"]
    assert [(entry.action, entry.result) for entry in entries] == [
        ("reject", "done"),
        ("approve", "done"),
        ("publish", "done"),
    ]
    assert all(
        entry.actor == f"airflow: {USER}, llmops_pipeline, {run}"
        for entry, run in zip(entries, (first, second, second), strict=True)
    )
    audit.verify(settings)
