"""Lineages for the gate, from raw days to an evaluation: manifests with little behind them."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from llmops import artifacts
from llmops.config import StageConfig
from llmops.guards.personal_data import TYPES
from llmops.manifest import Manifest
from llmops.redaction.config import RedactConfig

DAYS = (date(2026, 3, 1), date(2026, 3, 2))


def commit(
    target: str,
    stage: str,
    inputs: Sequence[Manifest] = (),
    day: date | None = None,
    redacts: Sequence[str] = (),
    **files: Any,
) -> Manifest:
    """An artifact of a stage; further keyword arguments become JSON files."""
    config = RedactConfig(types=redacts) if redacts else StageConfig()
    attempt = artifacts.begin(target, stage=stage, version=1, config=config, inputs=inputs, day=day)
    for name, content in {"content": target, **files}.items():
        attempt.write_bytes(f"{name}.json", json.dumps(content).encode())
    return attempt.commit()


def commit_evaluation(
    lake: str,
    models: Mapping[str, Any],
    *,
    redacted: Sequence[date] = DAYS,
    redacts: Sequence[str] = TYPES,
    champion: Manifest | None = None,
) -> Manifest:
    """The evaluation of a candidate made from two days, of which `redacted` went through `redact` for some kinds."""
    cleaned = []
    for day in DAYS:
        raw = commit(f"{lake}/raw/ds={day}", "collect", day=day)
        source = commit(f"{lake}/redacted/ds={day}", "redact", [raw], redacts=redacts) if day in redacted else raw
        cleaned.append(commit(f"{lake}/clean/ds={day}", "clean", [source]))
    features = commit(f"{lake}/features", "materialize", cleaned)
    adapter = commit(f"{lake}/adapters", "finetune", [features])
    inputs = [adapter, features, *([champion] if champion else [])]
    return commit(f"{lake}/evaluations", "evaluate", inputs, DAYS[-1], evaluation={"models": models})
