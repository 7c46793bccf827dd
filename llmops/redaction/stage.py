"""`llmops redact`: personal data out of the raw text, before anything else touches it."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any

import pyarrow as pa
from cyclopts import Parameter

from llmops import artifacts, schemas, suppression
from llmops.guards import personal_data, pseudonyms
from llmops.manifest import Manifest
from llmops.redaction.config import RedactConfig
from llmops.settings import Settings

STAGE, VERSION = "redact", 3
REPORT = "personal_data.json"
_TEXTS = ("question", "answer", "text")


def redact_rows(
    raw: str,
    target: str,
    *,
    config: RedactConfig,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Replace personal data in the rows of `raw` (`schemas.RAW`) by `<TYPE>`; `schemas.REDACTED` in `target`.

    Beside the table stands `personal_data.json`: what was found, per type. The placeholder is the same for all values
    of a type, so equal texts stay equal on every day. Rows with a type of `quarantined_types` go to quarantine.

    A subject that holds personal data becomes a pseudonym, so that people stay apart; a join key that does is dropped.
    Row ids stay. Equal values have equal pseudonyms on all days and machines that share `settings.pseudonym_key`. The
    key is no part of the artifact's identity: after a change of it, redact all days again with --force.

    Rows about people on the suppression list are set aside without their content: raw data that came back, as out of a
    backup, gets no further.
    """
    source = artifacts.read(raw, stage="collect")
    attempt = artifacts.begin(target, stage=STAGE, version=VERSION, config=config, inputs=[source])
    if attempt.committed:
        return attempt.committed
    rows = artifacts.read_table(source).drop_columns("fetched_at").to_pylist()
    erased = suppression.read(settings)
    gone = [row for row in rows if erased.holds(row["subject_id"])]
    read_key = cache(lambda: pseudonyms.read_key(settings.pseudonym_key))
    redacted = [redact_row(row, config, read_key) for row in rows if not erased.holds(row["subject_id"])]
    kept = [row for row in redacted if not _forbidden(row, config)]
    attempt.write_table(pa.Table.from_pylist(kept, schema=schemas.REDACTED), schemas.REDACTED)
    attempt.set_aside(
        [
            *(_set_aside(row, config) for row in redacted if _forbidden(row, config)),
            *(
                {
                    "row_id": row["row_id"],
                    "rule": suppression.RULE,
                    "reason": "about somebody who was erased",
                    "uri": row["uri"],
                }
                for row in gone
            ),
        ]
    )
    attempt.write_bytes(REPORT, json.dumps(report(redacted, config), indent=2).encode() + b"\n")
    found = Counter(kind for row in redacted for kind in row["redactions"])
    return attempt.commit(
        input_ids=[row["row_id"] for row in rows],
        suppressed_until=erased.sequence,
        counts={f"redacted_{kind.lower()}": count for kind, count in sorted(found.items())},
    )


def report(redacted: Sequence[dict[str, Any]], config: RedactConfig) -> dict[str, dict[str, Any]]:
    """Per type that was looked for: what is done about it, how often it was found, in how many rows and which sources.

    Takes rows of `schemas.REDACTED`, those that are set aside included.
    """
    told: dict[str, dict[str, Any]] = {}
    for kind in config.types:
        holding = [row for row in redacted if kind in row["redactions"]]
        told[kind] = {
            "action": "quarantine" if kind in config.quarantined_types else "redact",
            "findings": sum(row["redactions"].count(kind) for row in holding),
            "rows": len(holding),
            "rows_by_source": dict(sorted(Counter(row["source"] for row in holding).items())),
        }
    return told


def _forbidden(row: dict[str, Any], config: RedactConfig) -> list[str]:
    return [kind for kind in config.quarantined_types if kind in row["redactions"]]


def _set_aside(row: dict[str, Any], config: RedactConfig) -> dict[str, Any]:
    """The row for quarantine: as redacted, since quarantine is no place for personal data either."""
    kinds = ", ".join(_forbidden(row, config))
    record = json.dumps(row, default=str, ensure_ascii=False)
    reason = f"holds {kinds}, which the recipe has set aside"
    return {"row_id": row["row_id"], "uri": row["uri"], "rule": "personal_data", "reason": reason, "record": record}


def redact_row(row: dict[str, Any], config: RedactConfig, read_key: Callable[[], bytes]) -> dict[str, Any]:
    """A row of `schemas.RAW` as one of `schemas.REDACTED`; the key is read only if the subject holds personal data."""

    def find(text: str | None) -> list[personal_data.Span]:
        return personal_data.find(text or "", config.types, config.phone_regions)

    found = {name: find(row[name]) for name in (*_TEXTS, "subject_id")}
    clean = {name: personal_data.redact(row[name], found[name]) for name in _TEXTS if found[name]}
    if found["subject_id"]:
        clean["subject_id"] = pseudonyms.pseudonym(row["subject_id"], found["subject_id"][0].type, read_key())
    return {
        **row,
        **clean,
        "keys": [key for key in row["keys"] if not find(key)],
        "parents": [row["row_id"]],
        "redactions": [span.type for spans in found.values() for span in spans],
    }
