"""Rows of the log of `llm_training_features`: what becomes of a row of token ids before Feast reads it.

The log is append-only. Feast picks the version of a row by time: the latest `event_timestamp` not after the moment
asked for. When two versions have the same one, Feast 0.67's dask store picks at random, whatever `created` says (its
second sort is not stable). So a row that changed while its event time did not, such as one moved to another part by
new split shares, is stamped one microsecond after the version before it. Every version ever trained on stays
retrievable, exactly.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from llmops import digests, schemas
from llmops.features.views import TRAINING

_FROM_TOKENS = {"row_id": "example_id", "input_ids": "token_ids", "event_time": "event_timestamp"}
_VERSION_STEP = timedelta(microseconds=1)


def place_in_log(tokens: pa.Table, logged: pa.Table, now: datetime) -> tuple[pa.Table, pa.Table]:
    """Rows of schemas.TOKENS as rows of the view's log, in their order, and those among them that the log lacks.

    `logged` holds the log's keys, `event_timestamp`, `created` and `content`; a row that is there keeps its stamps.
    """
    taken: dict[tuple[str, str], set[datetime]] = defaultdict(set)
    known: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in logged.to_pylist():
        key = (row["example_id"], row["tokenizer"])
        taken[key].add(row["event_timestamp"])
        known[*key, row["content"]] = row

    placed, fresh = [], []
    for row in _as_log_rows(tokens):
        key = (row["example_id"], row["tokenizer"])
        found = known.get((*key, row["content"]))
        if found is None:
            while row["event_timestamp"] in taken[key]:
                row["event_timestamp"] += _VERSION_STEP
            row["created"] = now
            fresh.append(row)
        else:
            row |= {"event_timestamp": found["event_timestamp"], "created": found["created"]}
        placed.append(row)
    return pa.Table.from_pylist(placed, schema=TRAINING.log), pa.Table.from_pylist(fresh, schema=TRAINING.log)


def as_tokens(tokens: pa.Table, retrieved: pa.Table) -> pa.Table:
    """Rows of schemas.TOKENS whose features come out of the store; ids, event times and order are those of `tokens`."""
    columns = {
        "row_id": retrieved["example_id"],
        "parents": pa.array([[row_id] for row_id in tokens["row_id"].to_pylist()], type=schemas.STRINGS),
        "event_time": tokens["event_time"],
        "tokenizer": retrieved["tokenizer"],
        "input_ids": retrieved["token_ids"],
    }
    columns |= {name: retrieved[name] for name in ("source", "part", "template", "attention_mask", "prompt_tokens")}
    return pa.table([columns[name] for name in schemas.TOKENS.names], schema=schemas.TOKENS)


def count_differences(expected: pa.Table, found: pa.Table) -> int:
    """Rows that are not equal, in two tables with the same columns and order; missing and surplus rows count."""
    if expected.equals(found):
        return 0
    pairs = zip(expected.to_pylist(), found.to_pylist(), strict=False)
    return sum(1 for left, right in pairs if left != right) + abs(int(expected.num_rows - found.num_rows))


def _as_log_rows(tokens: pa.Table) -> list[dict[str, Any]]:
    lasting = tokens.drop_columns(["parents"]).rename_columns(
        [_FROM_TOKENS.get(name, name) for name in tokens.schema.names if name != "parents"]
    )
    return [row | {"content": digests.of_json(row)} for row in lasting.to_pylist()]
