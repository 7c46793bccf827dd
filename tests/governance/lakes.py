"""Lineages for the gate, from raw days to an evaluation: manifests with little behind them."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from llmops import artifacts, signing
from llmops.config import StageConfig
from llmops.governance import stage
from llmops.governance.config import GateConfig
from llmops.guards.personal_data import TYPES
from llmops.manifest import Manifest
from llmops.redaction.config import RedactConfig
from llmops.settings import Settings

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


def make_rows(
    losses: Sequence[float], token_f1: Sequence[float], *, tokens: int = 20, source: str = "faq", **others: Any
) -> list[dict[str, Any]]:
    """Rows of scores.json for one model; `others` are numbers that every answer has."""
    guards = {"refused": 0.0, "guarded": 0.0, "empty": 0.0, "length_error": 0.3, "reading_ease": 60.0} | others
    return [
        {
            "row_id": f"row-{number:03d}",
            "loss": loss * tokens,
            "answer_tokens": tokens,
            "token_f1": closeness,
            "slices": {"source": source},
            **guards,
        }
        for number, (loss, closeness) in enumerate(zip(losses, token_f1, strict=True))
    ]


def settings_for(target: str) -> Settings:
    """Settings with keys in the folder that `target` lies in."""
    settings = Settings(home=Path(target).parent)
    signing.create_keys(settings=settings)
    return settings


def gate_candidate(evaluation: str, target: str, *, config: GateConfig) -> Manifest:
    """What `llmops gate` makes, signed with the keys beside `target`."""
    return stage.gate_candidate(evaluation, target, config=config, settings=settings_for(target))


def commit_evaluation(
    lake: str,
    scores: Mapping[str, Any],
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
    return commit(f"{lake}/evaluations", "evaluate", inputs, DAYS[-1], scores=scores)
