"""The dossier in a release: complete, valid, and the same for the same lineage."""

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from llmops import artifacts
from llmops.governance.approval import approve_candidate
from llmops.manifest import Manifest
from llmops.settings import Settings
from tests.publishing.small_lake import EVALUATION, make_decision, publish


@pytest.fixture
def decision(settings: Settings, adapter_folder: Path) -> Manifest:
    return make_decision(settings, adapter_folder)


@pytest.fixture
def bill(settings: Settings, decision: Manifest) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(artifacts.read_named(publish(settings, decision), "dossier/bom.cdx.json"))
    return content


def component(bill: dict[str, Any], reference: str) -> dict[str, Any]:
    (found,) = [each for each in bill["components"] if each["bom-ref"] == reference]
    return dict(found)


def test_it_holds_cards_bill_lineage_reports_and_approval(settings: Settings, decision: Manifest) -> None:
    approval = approve_candidate(
        decision.uri, f"{settings.lake}/approvals/as_of=2026-03-07", choice="approve", by="Grace", settings=settings
    )

    release = publish(settings, decision, approval.uri)

    names = {name for name in artifacts.named_files(release) if name.startswith("dossier/")}
    assert names == {
        "dossier/approval.json",
        "dossier/bom.cdx.json",
        "dossier/data_card.json",
        "dossier/data_card.md",
        "dossier/lineage.json",
        "dossier/reports/evaluate/evaluation.json",
    }
    assert json.loads(artifacts.read_named(release, "dossier/approval.json"))["by"] == "Grace"
    assert json.loads(artifacts.read_named(release, "dossier/reports/evaluate/evaluation.json")) == EVALUATION


def test_the_bill_is_valid_cyclonedx(bill: dict[str, Any]) -> None:
    assert bill["specVersion"] == "1.6"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None


def test_the_bill_names_base_model_with_licence_and_hashes(bill: dict[str, Any], tiny_model: Manifest) -> None:
    base = component(bill, "base")

    assert base["type"] == "machine-learning-model"
    assert base["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert base["version"] == tiny_model.config["base_model"]
    hashes = {each["name"]: each["hashes"][0]["content"] for each in base["components"]}
    assert hashes == {file.name.split("/", 1)[1]: file.sha256 for file in tiny_model.files}


def test_the_bill_names_adapter_data_and_figures(bill: dict[str, Any], settings: Settings) -> None:
    adapter = artifacts.read(f"{settings.lake}/adapters/as_of=2026-03-07", "finetune")
    data = {each["bom-ref"] for each in bill["components"] if each["type"] == "data"}

    assert component(bill, "adapter")["version"] == adapter.digest
    assert {"data:raw/ds=2026-03-07", "data:clean/ds=2026-03-07", "data:splits/as_of=2026-03-07"} <= data
    card = bill["metadata"]["component"]["modelCard"]
    assert {each["ref"] for each in card["modelParameters"]["datasets"]} == data
    perplexity = {"type": "perplexity", "slice": "candidate", "value": "7.5"}
    perplexity["confidenceInterval"] = {"lowerBound": "7.1", "upperBound": "7.9"}  # type: ignore[assignment]
    assert perplexity in card["quantitativeAnalysis"]["performanceMetrics"]
    needs = {each["ref"]: set(each.get("dependsOn", ())) for each in bill["dependencies"]}
    assert {"adapter", "base"} <= needs["release"]
    assert needs["adapter"] == {"base", *data}


def test_the_bill_names_the_installed_software_with_licences(bill: dict[str, Any]) -> None:
    found = {each["name"]: each for each in bill["components"] if each["type"] == "library"}

    installed = {each.name.lower() for each in metadata.distributions()}
    assert found.keys() == installed
    assert found["torch"]["version"] == metadata.version("torch")
    assert found["pydantic"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert found["pydantic"]["purl"] == f"pkg:pypi/pydantic@{metadata.version('pydantic')}"
    with_licence = sum("licenses" in each for each in found.values())
    assert with_licence / len(found) > 0.95


def test_the_data_card_counts_and_gives_licences(settings: Settings, decision: Manifest) -> None:
    release = publish(settings, decision)

    card = json.loads(artifacts.read_named(release, "dossier/data_card.json"))
    assert card["days"] == {"first": "2026-03-07", "last": "2026-03-07", "count": 1}
    assert card["stages"]["collect"]["kept"] == 9
    assert (card["stages"]["clean"]["kept"], card["stages"]["clean"]["set_aside"]) == (8, 1)
    assert card["parts"] == {"train": 5, "validation": 1, "test": 1}
    assert "| clean | 8 |" in artifacts.read_named(release, "dossier/data_card.md").decode()


def test_the_lineage_names_every_artifact_by_digest(settings: Settings, decision: Manifest) -> None:
    release = publish(settings, decision)

    chain = json.loads(artifacts.read_named(release, "dossier/lineage.json"))
    known = {each["digest"]: each["stage"] for each in chain}
    assert known[decision.digest] == "gate"
    assert {"collect", "redact", "clean", "annotate", "split", "materialize", "tune", "finetune", "evaluate"} <= set(
        known.values()
    )
    assert all(digest in known for each in chain for digest in each["inputs"])


def test_the_card_tells_where_the_dossier_is(settings: Settings, decision: Manifest) -> None:
    card = artifacts.read_named(publish(settings, decision), "README.md").decode()

    assert "dossier/bom.cdx.json" in card
    assert "dossier/data_card.md" in card
