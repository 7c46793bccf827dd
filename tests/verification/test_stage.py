"""`llmops access verify` as a pipeline calls it: a candidate in a service of its own, a report, an exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmops import artifacts
from llmops.errors import AccessViolationError, ConfigurationError
from llmops.governance.access.config import VerifyAccessConfig
from llmops.governance.access.keystore import KeyStore
from llmops.manifest import Manifest
from llmops.publishing.releases import read_champion
from llmops.settings import Settings
from llmops.verification.stage import verify_access
from tests.publishing.small_lake import make_decision, make_lake
from tests.serving.service_process import address, run_service


@pytest.fixture
def unpublished(tiny_model: Manifest, adapter_folder: Path, empty_store: Path, tmp_path: Path) -> Settings:
    """A lake with a candidate that nobody has published."""
    settings = make_lake(tmp_path / "home", tiny_model, empty_store)
    make_decision(settings, adapter_folder)
    return settings


def adapter_of(settings: Settings) -> str:
    return next(f"{path}" for path in Path(settings.lake).glob("adapters/*"))


def report_of(manifest: Manifest) -> dict[str, object]:
    content: dict[str, object] = json.loads(artifacts.read_named(manifest, "access.json"))
    return content


def test_a_candidate_is_tried_before_it_is_published(unpublished: Settings) -> None:
    target = f"{unpublished.lake}/access/as_of=2026-03-07"

    made = verify_access(target, candidate=adapter_of(unpublished), config=VerifyAccessConfig(), settings=unpublished)

    report = report_of(made)
    kinds = report["by_kind"]
    assert (report["failures"], report["failed"]) == (0, [])
    assert isinstance(kinds, dict)
    assert kinds["route"]["n"] == 21 * 16
    assert kinds["command"]["n"] >= 35 * 16
    assert kinds["password"]["n"] >= 20
    assert made.metrics == {"checks": float(str(report["n"])), "failures": 0.0}
    assert [item.stage for item in made.inputs] == ["finetune"]
    # The lake is as it was: nothing is served, no key was made, and the candidate's own lake is gone.
    assert read_champion(unpublished.lake, unpublished.trusted_key) is None
    assert KeyStore(unpublished.access_keys).records() == []


def test_a_running_service_with_an_open_door_fails_and_leaves_the_report(published: Settings, tmp_path: Path) -> None:
    """The service lets everybody in as a User: the status says so, and the report which routes."""
    home = {"LLMOPS_HOME": str(published.home), "LLMOPS_LOG_FORMAT": "json", "LLMOPS_ENVIRONMENT": "development"}
    target, log = f"{tmp_path}/access", tmp_path / "log"
    variables = {"LLMOPS_ENVIRONMENT": "development", "LLMOPS_OPEN_ACCESS": "true"}

    with run_service(published, log, **variables) as process:
        command = [str(Path(sys.executable).with_name("llmops")), "access", "verify", target]
        flags = ["--url", address(log, process)]
        wait_until_ready(flags[1])
        done = subprocess.run(
            [*command, *flags], env={**os.environ, **home}, capture_output=True, text=True, check=False
        )

    report = report_of(artifacts.read(target, stage="access"))
    failed = report["failed"]
    assert isinstance(failed, list)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "POST /generate, nobody, no key: expected 401, got let in" in done.stderr
    assert {(item["kind"], item["who"]) for item in failed} == {("route", "nobody, no key")}
    assert {item["what"] for item in failed if item["got"] == "let in"} >= {"POST /generate", "GET /v1/models"}
    assert not [key for key in KeyStore(published.access_keys).records() if key.subject == "access verify"]


def wait_until_ready(url: str) -> None:
    import httpx  # noqa: PLC0415 - of this function alone

    from tests.serving.conftest import is_ready, poll  # noqa: PLC0415 - likewise

    with httpx.Client(base_url=url, timeout=60) as client:
        poll(lambda: is_ready(client), timeout_seconds=180)


def test_a_service_that_does_not_start_is_no_safe_one(unpublished: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_SERVING_QUEUE_SIZE", "0")  # refused at its start

    with pytest.raises(AccessViolationError, match="queue_size"):
        verify_access(
            f"{unpublished.lake}/access",
            candidate=adapter_of(unpublished),
            config=VerifyAccessConfig(),
            settings=unpublished,
        )

    assert artifacts.find(f"{unpublished.lake}/access") is None


def test_what_to_try_must_be_said(unpublished: Settings) -> None:
    with pytest.raises(ConfigurationError, match="either --candidate or --url"):
        verify_access(f"{unpublished.lake}/access", config=VerifyAccessConfig(), settings=unpublished)
