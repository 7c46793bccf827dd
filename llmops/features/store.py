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
from llmops.features.rows import FEATURES, KEYS, LOG, VIEW, log_uri
from llmops.settings import Settings

log = structlog.get_logger()

_REFERENCES = [f"{VIEW}:{name}" for name in FEATURES]
_KEYS_AT_ONCE = 500


def open_store(settings: Settings) -> FeatureStore:
    """The feature store of `settings.feature_repo` over `settings.lake`, after checking that it has our view.

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
        view = store.get_feature_view(VIEW)
    except FeatureViewNotFoundException as error:
        raise ConfigurationError(f"{lake}: the feature view {VIEW} is not applied; {remedy}") from error
    if view.batch_source.path != log_uri(lake) or {field.name for field in view.features} != set(FEATURES):
        raise ConfigurationError(f"{lake}: another version of the feature view {VIEW} is applied; {remedy}")
    return store


def retrieve_offline(store: FeatureStore, rows: pa.Table) -> pa.Table:
    """Features of these rows of LOG by point-in-time join: keys and FEATURES, in their order.

    Each row is asked for as of its own `event_timestamp`: what the store knew when the row became true, and nothing
    later. A row that the store lacks is left out.
    """
    wanted = rows.select([*KEYS, "event_timestamp"]).to_pandas()
    found = store.get_historical_features(entity_df=wanted, features=_REFERENCES).to_arrow()
    by_key = {key: number for number, key in enumerate(_keys(found)) if found["token_ids"][number].is_valid}
    order = [by_key[key] for key in _keys(rows) if key in by_key]
    names = [*KEYS, *FEATURES]
    return found.take(pa.array(order, pa.int64())).select(names).cast(pa.schema([LOG.field(name) for name in names]))


def write_online(store: FeatureStore, rows: pa.Table) -> pa.Table:
    """Write rows of LOG by key and return those written: all but rows older than what the store holds.

    "Older" is by event time in whole seconds, which is what the SQLite store keeps.
    """
    held = (answer["event_time"] for answer in read_online(store, list(_keys(rows))))
    is_current = [
        at is None or time.replace(microsecond=0) >= at
        for at, time in zip(held, rows["event_timestamp"].to_pylist(), strict=True)
    ]
    current = rows.filter(pa.array(is_current, type=pa.bool_()))
    names = [*KEYS, *FEATURES, "event_timestamp", "created"]
    for start in range(0, current.num_rows, _KEYS_AT_ONCE):
        batch = current.slice(start, _KEYS_AT_ONCE).select(names)
        store.write_to_online_store(VIEW, df=batch.to_pandas())
        log.debug("features.written", done=start + batch.num_rows, total=current.num_rows)
    return current


def read_online(store: FeatureStore, keys: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """For each (example_id, tokenizer): keys, FEATURES and `event_time` (UTC, whole seconds), None where not there."""
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        batch = [dict(zip(KEYS, key, strict=True)) for key in keys[start : start + _KEYS_AT_ONCE]]
        answer = store.get_online_features(features=_REFERENCES, entity_rows=batch).to_dict(
            include_event_timestamps=True
        )
        for number, key in enumerate(batch):
            features = {name: answer[name][number] for name in FEATURES}
            is_there = features["token_ids"] is not None
            seconds = answer["token_ids__ts"][number]
            yield {**key, **features, "event_time": datetime.fromtimestamp(seconds, UTC) if is_there else None}


def _keys(rows: pa.Table) -> Iterator[tuple[str, str]]:
    return zip(*(rows[name].to_pylist() for name in KEYS), strict=True)
