"""The data card: which data a release learnt from, counted; no text and no identifier of it.

Equal lineage gives an equal card. Rows of one kind of source are counted together, as the raw data's manifests do.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from llmops import artifacts
from llmops.manifest import Manifest
from llmops.publishing.lineage import DAILY_STAGES, Lineage

_NOT_STATED = "not stated"


def describe(lineage: Lineage, licences: Mapping[str, str]) -> dict[str, Any]:
    """The card as JSON: days, sources with their licences, rows by stage and rule, redactions by type, parts."""
    by_stage = {stage: [item for item in lineage.days if item.stage == stage] for stage in DAILY_STAGES}
    days = sorted({artifacts.day_of(item.uri) for item in lineage.days})
    return {
        "days": {"first": str(days[0]), "last": str(days[-1]), "count": len(days)},
        "sources": _sources(by_stage["collect"], licences),
        "rows_by_kind": _counts(by_stage["collect"], "from_"),
        "stages": {stage: _outcome(items) for stage, items in by_stage.items()},
        "redactions": _counts(by_stage["redact"], "redacted_"),
        "redaction_looked_for": sorted({kind for item in by_stage["redact"] for kind in item.config.get("types", ())}),
        "parts": {
            part: lineage.split.counts[part]
            for part in ("train", "validation", "test", "context")
            if part in lineage.split.counts
        },
        "merged_across_days": lineage.split.counts.get("set_aside", 0),
        "artifacts": [
            {"stage": item.stage, "day": str(artifacts.day_of(item.uri)), "digest": item.digest}
            for item in lineage.days
        ],
    }


def render(card: Mapping[str, Any], version: str) -> str:
    """The card in Markdown."""
    days = card["days"]
    lines = [
        f"# Data behind {version}",
        "",
        f"{days['count']} days, from {days['first']} to {days['last']}.",
        "",
        "| source | kind | path | licence |",
        "| --- | --- | --- | --- |",
        *(f"| {each['name']} | {each['kind']} | `{each['path']}` | {each['licence']} |" for each in card["sources"]),
        "",
        "| stage | rows kept | set aside, by rule |",
        "| --- | --- | --- |",
        *(f"| {stage} | {each['kept']} | {_listed(each['rules'])} |" for stage, each in card["stages"].items()),
        "",
        f"Raw rows by kind of source: {_listed(card['rows_by_kind'])}.",
        f"Personal data redacted: {_listed(card['redactions'])}; looked for {', '.join(card['redaction_looked_for'])}.",
        f"Examples by part: {_listed(card['parts'])}; {card['merged_across_days']} repeats of earlier days merged.",
    ]
    return "\n".join(lines) + "\n"


def _sources(collected: list[Manifest], licences: Mapping[str, str]) -> list[dict[str, str]]:
    """Every source that any day was collected from, by name."""
    found = {source["name"]: source for item in collected for source in item.config.get("sources", ())}
    return [
        {"name": name, "kind": source["kind"], "path": source["path"], "licence": licences.get(name, _NOT_STATED)}
        for name, source in sorted(found.items())
    ]


def _outcome(items: list[Manifest]) -> dict[str, Any]:
    """Rows kept by a stage on all days, and those set aside by rule; no more of the quarantine is looked at."""
    rules: Counter[str] = Counter()
    for item in items:
        rules.update(artifacts.read_table(item, ["rule"], quarantine=True)["rule"].to_pylist())
    total = _sum(items)
    return {"kept": total["kept"], "set_aside": total["set_aside"], "rules": dict(sorted(rules.items()))}


def _counts(items: list[Manifest], prefix: str) -> dict[str, int]:
    return {
        key.removeprefix(prefix): value
        for key, value in sorted(_sum(items).items())
        if key.startswith(prefix) and value
    }


def _sum(items: list[Manifest]) -> Counter[str]:
    total: Counter[str] = Counter()
    for item in items:
        total.update(item.counts)
    return total


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
