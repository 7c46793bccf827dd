"""`llmops split`: all committed days up to one, joined and cut into train, validation and test."""

from collections import Counter
from datetime import date

import pyarrow as pa
import structlog

from llmops import artifacts, schemas
from llmops.days import day_uris
from llmops.errors import MissingArtifactError
from llmops.manifest import Manifest
from llmops.splitting.assign import Row, merge_repeats, part_of
from llmops.splitting.config import SplitConfig

STAGE, VERSION = "split", 1
log = structlog.get_logger()


def split_examples(examples: str, target: str, *, config: SplitConfig, as_of: date) -> Manifest:
    """Join the days `examples/ds=…` up to and with `as_of` and assign each pair to a part; `schemas.SPLIT` in `target`.

    A pair that nearly repeats an earlier day's is merged into it. Context rows keep the part `context`.

    Raises MissingArtifactError when no day is committed.
    """
    days = snapshot(examples, as_of)
    attempt = artifacts.begin(target, stage=STAGE, version=VERSION, config=config, inputs=days, day=as_of)
    if attempt.committed:
        return attempt.committed
    rows: list[Row] = []
    for manifest in days:
        ds = artifacts.day_of(manifest.uri)
        rows += [{**row, "ds": ds} for row in artifacts.read_table(manifest).to_pylist()]
    kept, merged = merge_repeats(rows, config.similarity_threshold)
    split = [
        {**row, "parents": [row["row_id"]], "part": part_of(row["group_id"], config) if row["is_pair"] else "context"}
        for row in kept
    ]
    aside = [
        {
            "row_id": row_id,
            "rule": "near_duplicate",
            "reason": "nearly repeats an earlier pair",
            "merged_into": keeper,
            "uri": examples,
        }
        for row_id, keeper in sorted(merged.items())
    ]
    parts = Counter(row["part"] for row in split)
    log.info("snapshot.joined", days=len(days), **parts)
    attempt.write_table(pa.Table.from_pylist(split, schema=schemas.SPLIT), schemas.SPLIT)
    return attempt.set_aside(aside).commit(input_ids=[row["row_id"] for row in rows], counts=dict(parts))


def snapshot(examples: str, as_of: date) -> list[Manifest]:
    """The committed days below `examples`, oldest first, up to and with `as_of`."""
    uris = [uri for uri in day_uris(examples) if artifacts.day_of(uri) <= as_of]
    found = [manifest for uri in uris if (manifest := artifacts.find(uri)) is not None]
    if not found:
        raise MissingArtifactError(f"{examples}: no committed day up to {as_of}; run `llmops annotate` for one first")
    return found
