"""From a row or a person forward: which rows, examples, snapshots, adapters, releases and answers came of it.

A release whose training set has been replaced in the lake since cannot be told about; it is listed as unknown.
"""

import re
from collections.abc import Iterator
from typing import Any

from llmops.errors import ConfigurationError
from llmops.governance.lineage import answers
from llmops.governance.lineage.lake import LEARNS_FROM, Lake, columns, has_rows
from llmops.guards import pseudonyms
from llmops.manifest import Manifest
from llmops.publishing import releases
from llmops.settings import Settings

_ROW_ID = re.compile(r"[0-9a-f]{6,32}")
_TRAINED = {"tune", "finetune"}
_MADE_OF_MODELS = {"tune", "finetune", "evaluate", "gate", "approve", "publish"}
Affected = dict[str, set[str]]


def find_impact(row_or_subject: str, settings: Settings) -> dict[str, Any]:
    """What came of a row (its id, or at least six of its first digits) or of a person's rows, as JSON.

    `rows` lists row ids by artifact, `set_aside` those that went into a quarantine, `models` the artifacts made from
    them, `releases` the versions, `unknown_releases` those whose training set is gone, `answers` ids by version, and
    `interactions` the stored exchanges of that person.

    Raises ConfigurationError when no row and no exchange is found.
    """
    lake = Lake(settings.lake)
    seeds = _seeds(row_or_subject, lake)
    own = _interactions(row_or_subject, lake, settings)
    if not seeds and not own:
        raise ConfigurationError(
            f"{row_or_subject!r}: neither the beginning of a row id (six digits at least) nor a subject in {lake.uri}"
        )
    rows, aside = _spread(seeds, lake)
    models = list(_models(rows, lake))
    made = {item.digest for item in models}
    versions, unknown = _releases(lake, made, rows)
    given = answers.given_by(versions, lake, settings.service_logs)
    return {
        "rows": {item.uri: sorted(rows[item.digest]) for item in lake.artifacts if rows.get(item.digest)},
        "set_aside": aside,
        "snapshots": [item.uri for item in lake.of("split") if rows.get(item.digest)],
        "models": [{"stage": item.stage, "uri": item.uri, "digest": item.digest} for item in models],
        "releases": sorted(versions),
        "unknown_releases": unknown,
        "answers": {version: sorted(a.id for a in given.values() if a.model == version) for version in versions},
        "interactions": own,
    }


def _seeds(wanted: str, lake: Lake) -> Affected:
    """Rows that carry the id or the subject, by digest of their artifact."""
    is_id = _ROW_ID.fullmatch(wanted) is not None
    found: Affected = {}
    for item in lake.artifacts:
        if not has_rows(item):
            continue
        table = columns(item, ["row_id", "subject_id", "parents"])
        for row_id, subject, parents in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
            if subject == wanted or (is_id and row_id.startswith(wanted)):
                found.setdefault(item.digest, set()).add(row_id)
                if item.stage == "redact":  # a pseudonym stands for no one in the raw data, but the row does
                    for source in item.inputs:
                        found.setdefault(source.digest, set()).update(parents)
    return found


def _spread(seeds: Affected, lake: Lake) -> tuple[Affected, dict[str, dict[str, str]]]:
    """All rows that descend from the seeds, and by artifact the rules by which some were set aside."""
    rows: Affected = {digest: set(ids) for digest, ids in seeds.items()}
    aside: dict[str, dict[str, str]] = {}
    for item in lake.in_order():
        if not has_rows(item):
            continue
        before = {row_id for source in item.inputs for row_id in rows.get(source.digest, ())}
        if not before:
            continue
        table = columns(item, ["row_id", "parents"])
        pairs = zip(table["row_id"].to_pylist(), table["parents"].to_pylist(), strict=True)
        made = {row_id for row_id, parents in pairs if not before.isdisjoint(parents or ())}
        rows.setdefault(item.digest, set()).update(made)
        rejected = columns(item, ["row_id", "rule"], quarantine=True).to_pylist()
        found = {row["row_id"]: row["rule"] for row in rejected if row["row_id"] in before}
        if found:
            aside[item.uri] = found
    return rows, aside


def _models(rows: Affected, lake: Lake) -> Iterator[Manifest]:
    """Artifacts without rows that were made from these rows; training made use of two parts only."""
    learnt: set[str] = set()
    for item in lake.of("materialize"):
        ids = rows.get(item.digest, set())
        table = columns(item, ["row_id", "part"]) if ids else None
        if table is not None:
            pairs = zip(table["row_id"].to_pylist(), table["part"].to_pylist(), strict=True)
            if any(row_id in ids and part in LEARNS_FROM for row_id, part in pairs):
                learnt.add(item.digest)
    made: set[str] = set()
    for item in lake.in_order():
        if item.stage not in _MADE_OF_MODELS:
            continue
        sources = {source.digest for source in item.inputs if (item.stage, source.stage) != ("evaluate", "publish")}
        scored = item.stage == "evaluate" and any(rows.get(digest) for digest in sources)
        if scored or sources & made or (item.stage in _TRAINED and sources & learnt):
            made.add(item.digest)
            yield item


def _releases(lake: Lake, made: set[str], rows: Affected) -> tuple[set[str], list[str]]:
    """Versions whose adapter descends from the rows, and those of which it cannot be said any more."""
    versions: set[str] = set()
    unknown: list[str] = []
    for item in lake.of("publish"):
        record = releases.read_record(item)
        if record.adapter in made:
            versions.add(record.version)
        elif record.adapter not in lake.by_digest:
            if record.features not in lake.by_digest:
                unknown.append(record.version)
            elif rows.get(record.features):
                versions.add(record.version)
    return versions, unknown


def _interactions(subject: str, lake: Lake, settings: Settings) -> dict[str, list[str]]:
    """Stored exchanges of a person, named as the service names them or by the pseudonym itself."""
    names = {subject}
    if settings.pseudonym_key.exists():
        names.add(pseudonyms.pseudonym(subject, "SUBJECT", pseudonyms.read_key(settings.pseudonym_key)))
    found: dict[str, list[str]] = {}
    for item in lake.of("store-interactions"):
        rows = columns(item, ["row_id", "subject_id"]).to_pylist()
        ids = sorted(row["row_id"] for row in rows if row["subject_id"] in names)
        if ids:
            found[item.uri] = ids
    return found
