"""From an answer back to the sources: release, adapter, template, snapshot, rows, files."""

from typing import Any

from llmops import artifacts
from llmops.errors import ArtifactError, ConfigurationError, SignatureError
from llmops.governance.lineage import answers
from llmops.governance.lineage.lake import LEARNS_FROM, Lake, columns, day_of, has_rows, parents_of
from llmops.manifest import Manifest
from llmops.publishing import releases
from llmops.settings import Settings


def trace_answer(answer_id: str, settings: Settings) -> dict[str, Any]:
    """Everything that an answer rests on, as JSON.

    `answer`, `release` (with whether it verifies), `artifacts` (nearest first), `lost` (what was replaced or removed
    since), `parts` (examples by part of the training set) and `rows` (raw rows that the model was trained on, or chosen
    by). Raises ConfigurationError for an answer or a release that nothing tells of.
    """
    lake = Lake(settings.lake)
    answer = answers.find(answer_id.removeprefix("chatcmpl-"), lake, settings.service_logs)
    if answer is None:
        raise ConfigurationError(
            f"{answer_id}: no such answer in {settings.service_logs}, in stored interactions or in batch answers; "
            "give the whole id, or set LLMOPS_SERVICE_LOGS to where the services' logs are kept"
        )
    release = artifacts.find(artifacts.join(settings.lake, "releases", answer.model))
    if release is None:
        raise ConfigurationError(f"{answer_id}: answered by {answer.model}, which is no release in {settings.lake}")
    record = releases.read_record(release)
    found, lost = lake.behind(release)
    return {
        "answer": {"id": answer.id, "at": answer.at, "found_in": answer.place, "model": answer.model},
        "release": {
            "version": record.version,
            "uri": release.uri,
            "digest": release.digest,
            "verified": _is_verified(release, settings),
            "adapter": record.adapter,
            "base": f"{record.base.path} ({record.base.licence}, {record.base.digest})",
            "template": record.template,
            "as_of": record.as_of.isoformat(),
        },
        "artifacts": [{"stage": item.stage, "uri": item.uri, "digest": item.digest} for item in found],
        "lost": [{"stage": item.stage, "uri": item.uri, "digest": item.digest} for item in lost],
        **_rows(found, lake),
    }


def _is_verified(release: Manifest, settings: Settings) -> bool:
    try:
        releases.read_release(release.uri, settings.trusted_key)
    except (SignatureError, ArtifactError):
        return False
    return True


def _rows(found: list[Manifest], lake: Lake) -> dict[str, Any]:
    """Rows of the training set by part, and the raw rows behind those that shaped the model."""
    chain = {item.digest for item in found}
    wanted: dict[str, set[str]] = {}
    parts: dict[str, int] = {}
    raw: list[dict[str, Any]] = []
    for item in reversed([item for item in lake.in_order() if item.digest in chain and has_rows(item)]):
        if item.stage == "materialize":
            for row_id, part in _columns_of(item, "row_id", "part"):
                parts[part] = parts.get(part, 0) + 1
                if part in LEARNS_FROM:
                    wanted.setdefault(item.digest, set()).add(row_id)
        ids = wanted.get(item.digest, set())
        if item.stage == "collect":
            rows = columns(item, ["row_id", "source", "uri", "position"]).to_pylist()
            raw += [{**row, "day": str(day_of(item))} for row in rows if row["row_id"] in ids]
            continue
        parents = parents_of(item, ids) if ids else set()
        for source in item.inputs:
            wanted.setdefault(source.digest, set()).update(parents)
    raw.sort(key=lambda row: (row["day"], row["source"], row["uri"], row["position"]))
    return {"parts": parts, "rows": raw}


def _columns_of(item: Manifest, *names: str) -> list[tuple[str, ...]]:
    table = columns(item, names)
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))
