"""Publishing a release: what it holds, when it is refused, what MLflow shows, what the pointer says."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from llmops import artifacts
from llmops.annotation.prompts import TEMPLATE
from llmops.errors import Refused, SignatureError
from llmops.manifest import Manifest
from llmops.publishing.releases import Champion, read_champion, show_champion
from llmops.settings import Settings
from llmops.signing import create_keys
from tests.publishing.small_lake import EVALUATION, SYSTEM, make_decision, make_lake, publish


def _champion(settings: Settings) -> Champion:
    champion = read_champion(settings.lake, settings.trusted_key)
    assert champion is not None
    return champion


def test_a_release_holds_what_serving_needs_and_nothing_else(
    settings: Settings, adapter_folder: Path, tiny_model_folder: Path
) -> None:
    release = publish(settings, make_decision(settings, adapter_folder))

    names = {name.split("/", 1)[1] for name in release.names()}
    assert names == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "decision.json",
        "dossier/bom.cdx.json",
        "dossier/data_card.json",
        "dossier/data_card.md",
        "dossier/lineage.json",
        "dossier/reports/evaluate/evaluation.json",
        "evaluation.json",
        "release.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    adapter = (adapter_folder / "adapter_model.safetensors").read_bytes()
    assert artifacts.read_named(release, "adapter_model.safetensors") == adapter
    assert artifacts.read_named(release, "tokenizer.json") == (tiny_model_folder / "tokenizer.json").read_bytes()
    record = _champion(settings).record
    assert (record.system, record.template, record.max_new_tokens) == (SYSTEM, TEMPLATE, 12)
    assert (record.base.path, record.base.licence) == ("models/tiny", "Apache-2.0")
    assert set(record.base.files) == {path.name for path in tiny_model_folder.iterdir()}
    assert record.scores == EVALUATION


def test_the_version_tells_name_day_and_adapter(settings: Settings, adapter_folder: Path) -> None:
    release = publish(settings, make_decision(settings, adapter_folder))

    adapter = artifacts.read(f"{settings.lake}/adapters/as_of=2026-03-07", stage="finetune")
    assert release.uri == f"{settings.lake}/releases/shop-assistant-2026-03-07-{adapter.digest[:8]}"


def test_the_model_card_tells_data_scores_and_licence(settings: Settings, adapter_folder: Path) -> None:
    card = artifacts.read_named(publish(settings, make_decision(settings, adapter_folder)), "README.md").decode()

    assert "| metric | candidate | untuned |" in card
    assert "| perplexity | 7.500 (7.100 to 7.900) | 22.500 (20.000 to 25.000) |" in card
    assert "5 train, 1 validation, 1 test" in card
    assert "Apache-2.0" in card
    assert "| 2026-03-07 | 9 (−1) | 9 (−0) | 8 (−1) | 7 (−0) |" in card
    assert "2.500 before, 1.250 after" in card
    assert "rank 4, alpha 32" in card


def test_two_lakes_give_the_same_digest_under_different_keys(
    settings: Settings, adapter_folder: Path, tiny_model: Manifest, empty_store: Path, tmp_path: Path
) -> None:
    other = make_lake(tmp_path / "other", tiny_model, empty_store)

    digests = {publish(each, make_decision(each, adapter_folder)).digest for each in (settings, other)}

    assert len(digests) == 1
    assert settings.trusted_key.read_bytes() != other.trusted_key.read_bytes()


def test_the_champion_is_the_release(settings: Settings, adapter_folder: Path) -> None:
    assert read_champion(settings.lake, settings.trusted_key) is None
    release = publish(settings, make_decision(settings, adapter_folder))

    champion = _champion(settings)

    assert champion.release == release
    assert champion.pointer.sequence == 1
    assert champion.pointer.release == "releases/" + release.uri.rsplit("/", 1)[-1]
    assert champion.record.version in show_champion(settings=settings)


def test_a_lake_can_be_mounted_elsewhere(settings: Settings, adapter_folder: Path, tmp_path: Path) -> None:
    release = publish(settings, make_decision(settings, adapter_folder))
    moved = Path(settings.lake).rename(tmp_path / "moved")

    champion = read_champion(str(moved), settings.trusted_key)

    assert champion is not None
    assert champion.release.digest == release.digest


def test_a_rerun_changes_nothing(settings: Settings, adapter_folder: Path) -> None:
    decision = make_decision(settings, adapter_folder)
    first = publish(settings, decision)
    pointer = (Path(settings.lake) / "champion.json").read_bytes()

    again = publish(settings, decision)
    with artifacts.recomputing():
        forced = publish(settings, decision)

    assert again == first
    assert forced.digest == first.digest
    assert (Path(settings.lake) / "champion.json").read_bytes() == pointer
    assert len(_registered(settings)) == 1


def test_each_new_champion_counts_one_up(settings: Settings, adapter_folder: Path) -> None:
    publish(settings, make_decision(settings, adapter_folder))
    first = _champion(settings)

    second = publish(settings, make_decision(settings, adapter_folder, training_seed=1, champion=first))

    assert _champion(settings).pointer.sequence == 2
    assert _champion(settings).release == second
    assert _aliased(settings) == second.digest


def test_a_candidate_that_was_not_approved_is_refused_with_the_reasons(
    settings: Settings, adapter_folder: Path
) -> None:
    decision = make_decision(settings, adapter_folder, approved=False)

    with pytest.raises(Refused, match="perplexity rose; token F1 fell"):
        publish(settings, decision)

    assert read_champion(settings.lake, settings.trusted_key) is None
    assert not Path(settings.lake, "releases").exists()


def test_an_adapter_that_is_champion_is_not_published_twice(settings: Settings, adapter_folder: Path) -> None:
    publish(settings, make_decision(settings, adapter_folder))
    decided_again = make_decision(settings, adapter_folder, champion=_champion(settings))

    with pytest.raises(Refused, match="is champion already"):
        publish(settings, decided_again)


def test_a_decision_against_another_champion_is_refused(settings: Settings, adapter_folder: Path) -> None:
    publish(settings, make_decision(settings, adapter_folder))
    compared_with_none = make_decision(settings, adapter_folder, training_seed=1)

    with pytest.raises(Refused, match="another champion than the present one"):
        publish(settings, compared_with_none)


def test_examples_of_two_templates_are_refused(settings: Settings, adapter_folder: Path) -> None:
    decision = make_decision(settings, adapter_folder, templates=["support-0", TEMPLATE])

    with pytest.raises(Refused, match=f"support-0, {TEMPLATE}"):
        publish(settings, decision)


def test_a_signing_key_that_nobody_trusts_makes_no_champion(settings: Settings, adapter_folder: Path) -> None:
    decision = make_decision(settings, adapter_folder)
    own = {"audit_key": settings.home / "keys/audit.pem", "audit_trusted_key": settings.trusted_key}
    settings = settings.model_copy(update=own)
    settings.signing_key.rename(settings.audit_key)
    untrusted = settings.model_copy(update={"trusted_key": settings.home / "unused.pem"})
    create_keys(settings=untrusted)

    with pytest.raises(SignatureError, match="does not verify"):
        publish(settings, decision)

    assert read_champion(settings.lake, settings.trusted_key) is None
    assert _registered(settings) == []


def test_a_damaged_release_is_written_anew(settings: Settings, adapter_folder: Path) -> None:
    decision = make_decision(settings, adapter_folder)
    first = publish(settings, decision)
    Path(settings.lake, "champion.json").unlink()
    damaged = next(Path(first.uri).glob("attempt-*/adapter_model.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:-1])

    again = publish(settings, decision)

    assert again.digest == first.digest
    assert _champion(settings).release == again


def test_mlflow_shows_the_runs_and_the_version(settings: Settings, adapter_folder: Path) -> None:
    release = publish(settings, make_decision(settings, adapter_folder))

    client = _client(settings)
    experiment = client.get_experiment_by_name("shop-assistant")
    runs = {run.data.tags["stage"]: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"tune", "finetune", "evaluate"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert runs["finetune"].data.params["lora.rank"] == "8"
    assert runs["finetune"].data.metrics["validation_loss"] == 1.25
    (version,) = _registered(settings)
    assert version.run_id == runs["finetune"].info.run_id
    assert version.source == Path(release.uri).as_uri()
    assert _aliased(settings) == release.digest


def test_no_file_is_copied_into_mlflow(
    settings: Settings, adapter_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    publish(settings, make_decision(settings, adapter_folder))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit", "keys", "lake", "mlflow.db"]


def test_decision_and_evaluation_travel_with_the_release(settings: Settings, adapter_folder: Path) -> None:
    release = publish(settings, make_decision(settings, adapter_folder))

    assert json.loads(artifacts.read_named(release, "decision.json"))["approved"] is True
    assert json.loads(artifacts.read_named(release, "evaluation.json")) == EVALUATION


def _client(settings: Settings) -> MlflowClient:
    return MlflowClient(tracking_uri=settings.tracking_uri, registry_uri=settings.tracking_uri)


def _registered(settings: Settings) -> list[Any]:
    return list(_client(settings).search_model_versions("name = 'shop-assistant'"))


def _aliased(settings: Settings) -> str:
    version = _client(settings).get_model_version_by_alias("shop-assistant", "champion")
    return str(version.tags["artifact_digest"])
