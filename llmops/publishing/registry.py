"""A mirror of releases and of the runs behind them in MLflow, for people to look at; nothing is served from it.

Every step looks for what is there first, by digest, so that a mirror that was cut short is completed, not doubled.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
import structlog
from sqlalchemy import make_url

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # MLflow decides at import whether it reports home

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.entities.model_registry import ModelVersion

from llmops.governance.access import operators
from llmops.governance.access.mlflow import MLFLOW
from llmops.manifest import Manifest
from llmops.publishing.lineage import Lineage
from llmops.publishing.releases import ReleaseRecord

_DIGEST_TAG = "artifact_digest"
CHAMPION, CHALLENGER = "champion", "challenger"
"""Aliases of the registered model's versions: what is served, and what is tried beside it."""
log = structlog.get_logger()


def mirror(
    release: Manifest, record: ReleaseRecord, lineage: Lineage, *, name: str, alias: str, tracking_uri: str
) -> None:
    """Record tuning, training and evaluation as runs, and the release as the registered model's champion or challenger.

    No file is copied: the version's source is the release folder. Raises mlflow.MlflowException when the server or
    database does not do what it is asked, and AccessDeniedError for somebody whose role does not allow it.
    """
    operators.require(MLFLOW["register a version"])
    create_database(tracking_uri)
    client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
    experiment_id = _experiment(client, name)
    for item in (lineage.tuning, lineage.evaluation):
        _record_run(client, experiment_id, item)
    run_id = _record_run(client, experiment_id, lineage.adapter)
    version = _register(client, name, release, record, run_id)
    client.set_registered_model_alias(name, alias, version)
    log.info("release.mirrored", name=name, registry_version=version, digest=release.digest)


def point_alias(release: Manifest, alias: str = CHAMPION, *, tracking_uri: str) -> None:
    """Make a release that was mirrored before the registered model's champion, or its challenger."""
    operators.require(MLFLOW["set an alias"])
    client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
    for found in _mirrored(client, release.digest):
        client.set_registered_model_alias(found.name, alias, found.version)


def drop_alias(digest: str, alias: str, *, tracking_uri: str) -> None:
    """Take an alias from the mirrored release of that digest; where another one has it, it stays there."""
    operators.require(MLFLOW["delete an alias"])
    client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
    for found in _mirrored(client, digest):
        if alias in client.get_model_version(found.name, found.version).aliases:
            client.delete_registered_model_alias(found.name, alias)


def _mirrored(client: MlflowClient, digest: str) -> list[ModelVersion]:
    """The registered version that stands for a release, if it was mirrored."""
    return list(client.search_model_versions(f"tags.{_DIGEST_TAG} = '{digest}'", max_results=1))


def create_database(tracking_uri: str) -> None:
    """Create a SQLite store under another name and move it into place.

    MLflow's schema migrations on SQLite are not transactional: killed half-way, they cannot be taken up again.
    """
    url = make_url(tracking_uri)
    if not url.drivername.startswith("sqlite") or url.database is None or Path(url.database).exists():
        return
    final = Path(url.database)
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix="_creating-") as folder:
        database = Path(folder) / final.name
        MlflowClient(tracking_uri=f"sqlite:///{database}").search_experiments()
        database.replace(final)


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def _record_run(client: MlflowClient, experiment_id: str, artifact: Manifest) -> str:
    """The run that shows an artifact's configuration and metrics, completed if it was cut short."""
    found = client.search_runs([experiment_id], f"tags.{_DIGEST_TAG} = '{artifact.digest}'", max_results=1)
    committed = int(artifact.created_at.timestamp() * 1000)
    if found:
        run = found[0]
    else:
        run = client.create_run(
            experiment_id,
            start_time=committed - int(artifact.seconds * 1000),
            run_name=f"{artifact.stage} {artifact.uri.rsplit('/', 1)[-1]}",
            tags={_DIGEST_TAG: artifact.digest, "stage": artifact.stage, "uri": artifact.uri},
        )
    run_id = str(run.info.run_id)
    if run.info.status != "FINISHED":
        figures = {**{key: float(value) for key, value in artifact.counts.items()}, **artifact.metrics}
        client.log_batch(
            run_id,
            metrics=[Metric(key, value, committed, step=0) for key, value in figures.items()],
            params=[Param(key, value) for key, value in _flat(artifact.config)],
        )
        client.set_terminated(run_id, status="FINISHED", end_time=committed)
    return run_id


def _register(client: MlflowClient, name: str, release: Manifest, record: ReleaseRecord, run_id: str) -> str:
    """The number of the registered version that stands for the release."""
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    known = client.search_model_versions(f"name = '{name}'", max_results=10_000)
    number = next((item.version for item in known if item.tags.get(_DIGEST_TAG) == release.digest), None)
    if number is None:
        made = client.create_model_version(
            name,
            source=_absolute(release.uri),
            run_id=run_id,
            tags={_DIGEST_TAG: release.digest, "release": record.version, "base": record.base.digest},
            description=record.version,
        )
        number = made.version
    return str(number)


def _absolute(uri: str) -> str:
    files, path = fsspec.url_to_fs(uri)
    return str(files.unstrip_protocol(path))


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """`{"lora": {"rank": 8}}` → `("lora.rank", "8")`."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)
