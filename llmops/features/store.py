"""Feast: point-in-time retrieval offline, write and read by key online.

Importing Feast takes 10 CPU seconds, so only what really reads or writes features loads this module. Writers of
the registry and of the SQLite online store are serialised by the deployment (an Airflow pool); there are no locks here.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

import fsspec
import pyarrow as pa
import structlog
import yaml
from feast import FeatureStore, RepoConfig
from feast.errors import FeatureViewNotFoundException

from llmops.errors import ConfigurationError
from llmops.features.views import View
from llmops.settings import Settings

log = structlog.get_logger()

_KEYS_AT_ONCE = 500


def open_store(settings: Settings, view: View) -> FeatureStore:
    """The feature store of `settings.feature_repo` over `settings.lake`, after checking that it has this view.

    Raises ConfigurationError with the command to run when the deployment has not applied the view, or another one.
    """
    files, path = fsspec.url_to_fs(settings.lake)
    lake = path if "file" in files.protocol else settings.lake.rstrip("/")  # made absolute, as `feast apply` needs it
    remedy = (
        f'run `LLMOPS_LAKE="{lake}" feast --chdir {settings.feature_repo} apply --skip-source-validation` once, '
        "and again whenever feature_repo changes"
    )
    definition = settings.feature_repo / "feature_store.yaml"
    if not definition.is_file():
        raise ConfigurationError(f"{definition}: not there; set LLMOPS_FEATURE_REPO to the folder that holds it")
    text = Template(definition.read_text(encoding="utf-8")).safe_substitute(LLMOPS_LAKE=lake)
    config = RepoConfig(repo_path=settings.feature_repo, **yaml.safe_load(text))
    if config.registry.path.startswith("/") and not Path(config.registry.path).is_file():
        # Feast itself would make an empty registry here, which is the deployment's business.
        raise ConfigurationError(f"{lake}: there is no feature store yet; {remedy}")
    store = FeatureStore(config=config)
    try:
        applied = store.get_feature_view(view.name)
    except FeatureViewNotFoundException as error:
        raise ConfigurationError(f"{lake}: the feature view {view.name} is not applied; {remedy}") from error
    features = {field.name for field in applied.features}
    if applied.batch_source.path != view.log_uri(lake) or features != set(view.features):
        raise ConfigurationError(f"{lake}: another version of the feature view {view.name} is applied; {remedy}")
    return store


def retrieve_offline(store: FeatureStore, view: View, rows: pa.Table) -> pa.Table:
    """Features of these rows of the view's log by point-in-time join: its keys and features, in their order.

    Each row is asked for as of its own `event_timestamp`: what the store knew when the row became true, and nothing
    later. A row that the store lacks is left out.
    """
    wanted = rows.select([*view.keys, "event_timestamp"]).to_pandas()
    found = store.get_historical_features(entity_df=wanted, features=_references(view)).to_arrow()
    by_key = {key: number for number, key in enumerate(_keys(view, found)) if found[view.features[0]][number].is_valid}
    order = [by_key[key] for key in _keys(view, rows) if key in by_key]
    names = [*view.keys, *view.features]
    schema = pa.schema([view.log.field(name) for name in names])
    return found.take(pa.array(order, pa.int64())).select(names).cast(schema)


def write_online(store: FeatureStore, view: View, rows: pa.Table) -> pa.Table:
    """Write rows of the view's log by key and return those written: all but rows older than what the store holds.

    "Older" is by event time in whole seconds, which is what the SQLite store keeps.
    """
    held = (answer["event_time"] for answer in read_online(store, view, list(_keys(view, rows))))
    is_current = [
        at is None or time.replace(microsecond=0) >= at
        for at, time in zip(held, rows["event_timestamp"].to_pylist(), strict=True)
    ]
    current = rows.filter(pa.array(is_current, type=pa.bool_()))
    names = [*view.keys, *view.features, "event_timestamp", "created"]
    for start in range(0, current.num_rows, _KEYS_AT_ONCE):
        batch = current.slice(start, _KEYS_AT_ONCE).select(names)
        store.write_to_online_store(view.name, df=batch.to_pandas())
        log.debug("features.written", done=start + batch.num_rows, total=current.num_rows)
    return current


def read_online(store: FeatureStore, view: View, keys: Sequence[tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    """For each key (a value per join key): keys, features and `event_time` (UTC, whole seconds), or None."""
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        batch = [dict(zip(view.keys, key, strict=True)) for key in keys[start : start + _KEYS_AT_ONCE]]
        answer = store.get_online_features(features=_references(view), entity_rows=batch).to_dict(
            include_event_timestamps=True
        )
        for number, key in enumerate(batch):
            features = {name: answer[name][number] for name in view.features}
            is_there = features[view.features[0]] is not None
            seconds = answer[f"{view.features[0]}__ts"][number]
            yield {**key, **features, "event_time": datetime.fromtimestamp(seconds, UTC) if is_there else None}


def _references(view: View) -> list[str]:
    return [f"{view.name}:{name}" for name in view.features]


def _keys(view: View, rows: pa.Table) -> Iterator[tuple[str, ...]]:
    return zip(*(rows[name].to_pylist() for name in view.keys), strict=True)
