"""Answers that were given: found by their id, or all those of some releases.

They are looked for where they leave a trace: in the services' logs (which hold no text), among the stored exchanges of
consenting users, and in tables that were answered in one go.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from llmops.governance.lineage.lake import Lake, columns
from llmops.monitoring import service_log

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """One answer, as one of the places tells of it."""

    id: str
    model: str
    """Version of the release that gave it."""
    at: str | None
    """When (ISO 8601, UTC), where the place says so."""
    place: str
    """Where it was found: `service log`, or an artifact."""
    template: str | None = None


def find(answer_id: str, lake: Lake, service_logs: str) -> Answer | None:
    """The answer of that id, or None where nothing tells of it."""
    return next((answer for answer in _all(lake, service_logs) if answer.id == answer_id), None)


def given_by(versions: Collection[str], lake: Lake, service_logs: str) -> dict[str, Answer]:
    """Every answer of these releases by its id."""
    found: dict[str, Answer] = {}
    for answer in _all(lake, service_logs):
        if answer.model in versions:
            found.setdefault(answer.id, answer)
    return found


def _all(lake: Lake, service_logs: str) -> Iterator[Answer]:
    for manifest in lake.of("store-interactions"):
        rows = columns(manifest, ["row_id", "model", "template", "event_time"]).to_pylist()
        for row in rows:
            yield Answer(row["row_id"], row["model"], row["event_time"].isoformat(), manifest.uri, row["template"])
    for line in service_log.read(service_logs, dataset=service_log.ACCESS, since=_EVER):
        answer_id, model = line.fields.get("gen_ai.response.id"), line.fields.get("gen_ai.response.model")
        if answer_id and model:
            yield Answer(str(answer_id), str(model), line.at.isoformat(), "service log")
    for manifest in lake.of("generate-batch"):
        for row in columns(manifest, ["row_id", "model"]).to_pylist():
            yield Answer(row["row_id"], row["model"], None, manifest.uri)
