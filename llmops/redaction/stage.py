"""`llmops redact`: personal data out of the raw text, before anything else touches it."""

from collections import Counter
from typing import Any

import pyarrow as pa

from llmops import artifacts, schemas
from llmops.artifacts import Manifest
from llmops.guards import personal_data
from llmops.redaction.config import RedactConfig

STAGE, VERSION = "redact", 1
_TEXTS = ("question", "answer", "text", "subject_id")


def redact_rows(raw: str, target: str, *, config: RedactConfig) -> Manifest:
    """Replace personal data in the rows of `raw` (`schemas.RAW`) by `<TYPE>`; `schemas.REDACTED` in `target`.

    Texts and the subject are redacted; a join key that holds personal data is dropped. Row ids stay.
    """
    source = artifacts.read(raw, stage="collect")
    attempt = artifacts.begin(target, stage=STAGE, version=VERSION, config=config, inputs=[source])
    if attempt.committed:
        return attempt.committed
    rows = artifacts.read_table(source).drop_columns("fetched_at").to_pylist()
    redacted = [redact_row(row, config) for row in rows]
    found = Counter(kind for row in redacted for kind in row["redactions"])
    attempt.write_table(pa.Table.from_pylist(redacted, schema=schemas.REDACTED), schemas.REDACTED)
    return attempt.commit(
        input_ids=[row["row_id"] for row in rows],
        counts={f"redacted_{kind.lower()}": count for kind, count in sorted(found.items())},
    )


def redact_row(row: dict[str, Any], config: RedactConfig) -> dict[str, Any]:
    """A row of `schemas.RAW` as one of `schemas.REDACTED`."""
    redactions: list[str] = []
    clean = dict(row)
    for name in _TEXTS:
        if row[name]:
            spans = personal_data.find(row[name], config.types, config.phone_regions)
            clean[name] = personal_data.redact(row[name], spans)
            redactions += [span.type for span in spans]
    clean["keys"] = [key for key in row["keys"] if not personal_data.find(key, config.types, config.phone_regions)]
    return {**clean, "parents": [row["row_id"]], "redactions": redactions}
