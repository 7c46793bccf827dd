"""A publication that is killed anywhere and run again ends as if nothing had happened."""

import multiprocessing
import signal
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from mlflow import MlflowClient

from llmops.manifest import Manifest
from llmops.publishing.releases import read_champion
from tests.publishing.killing import publish_until
from tests.publishing.small_lake import make_decision, make_lake, publish

_WITHOUT_STORE = [
    ("_upgrade_db", "call"),  # MLflow's own function: its first tables are there, the migrations are not
    ("create_database", "return"),
]
_WITH_STORE = [
    ("put", "return"),  # the first file of the release
    ("Attempt.commit", "call"),
    ("Attempt.commit", "return"),
    ("MlflowClient.create_experiment", "return"),
    ("MlflowClient.create_run", "return"),
    ("MlflowClient.log_batch", "return"),
    ("MlflowClient.create_registered_model", "return"),
    ("MlflowClient.create_model_version", "return"),
    ("write_champion", "call"),
    ("write_champion", "return"),
]


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Starts processes quickly: they are forked from one that has imported MLflow already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.publishing.killing", "llmops.publishing.registry"])
    return context


@pytest.fixture(scope="module")
def undisturbed(
    tiny_model: Manifest, adapter_folder: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Digest of the release when nothing is killed."""
    settings = make_lake(tmp_path_factory.mktemp("undisturbed"), tiny_model, empty_store)
    decision = make_decision(settings, adapter_folder)
    return publish(settings, decision).digest


@pytest.mark.parametrize(
    ("function", "event", "has_store"),
    [*((*point, False) for point in _WITHOUT_STORE), *((*point, True) for point in _WITH_STORE)],
)
def test_a_rerun_after_a_kill_ends_as_undisturbed(
    function: str,
    event: str,
    has_store: bool,
    processes: ForkServerContext,
    undisturbed: str,
    tiny_model: Manifest,
    adapter_folder: Path,
    empty_store: Path,
    tmp_path: Path,
) -> None:
    settings = make_lake(tmp_path, tiny_model, empty_store if has_store else None)
    decision = make_decision(settings, adapter_folder)
    process = processes.Process(target=publish_until, args=(function, event, settings, decision.uri))
    process.start()
    process.join(timeout=120)
    assert process.exitcode == -signal.SIGKILL
    present = read_champion(settings.lake, settings.trusted_key)  # none or whole, never half a champion
    assert (present is not None) == ((function, event) == ("write_champion", "return"))

    release = publish(settings, decision)

    assert release.digest == undisturbed
    champion = read_champion(settings.lake, settings.trusted_key)
    assert champion is not None
    assert (champion.release.digest, champion.pointer.sequence) == (undisturbed, 1)
    client = MlflowClient(tracking_uri=settings.tracking_uri, registry_uri=settings.tracking_uri)
    (version,) = client.search_model_versions("name = 'shop-assistant'")
    assert version.tags["artifact_digest"] == undisturbed
    experiment = client.get_experiment_by_name("shop-assistant")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags["stage"] for run in runs) == ["evaluate", "finetune", "tune"]
    assert {run.info.status for run in runs} == {"FINISHED"}
