"""`llmops redact`: personal data out of the raw text, before anything else touches it."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import pyarrow as pa
from cyclopts import Parameter

from llmops import artifacts, schemas, suppression
from llmops.guards import personal_data, pseudonyms
from llmops.manifest import Manifest
from llmops.redaction.config import RedactConfig
from llmops.settings import Settings

STAGE, VERSION = "redact", 2
_TEXTS = ("question", "answer", "text")


def redact_rows(
    raw: str,
    target: str,
    *,
    config: RedactConfig,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Replace personal data in the rows of `raw` (`schemas.RAW`) by `<TYPE>`; `schemas.REDACTED` in `target`.

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
    found = Counter(kind for row in redacted for kind in row["redactions"])
    attempt.write_table(pa.Table.from_pylist(redacted, schema=schemas.REDACTED), schemas.REDACTED)
    attempt.set_aside(
        [
            {
                "row_id": row["row_id"],
                "rule": suppression.RULE,
                "reason": "about somebody who was erased",
                "uri": row["uri"],
            }
            for row in gone
        ]
    )
    return attempt.commit(
        input_ids=[row["row_id"] for row in rows],
        suppressed_until=erased.sequence,
        counts={f"redacted_{kind.lower()}": count for kind, count in sorted(found.items())},
    )


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
