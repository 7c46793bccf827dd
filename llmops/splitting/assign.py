"""Which part a row belongs to, and which rows repeat an earlier day's."""

from collections import defaultdict
from typing import Any

from llmops import similarity
from llmops.splitting.config import SplitConfig

_SCALE = 16**8
Row = dict[str, Any]


def part_of(group_id: str, config: SplitConfig) -> str:
    """test, validation or train, by the group's hash alone: more data never moves a row into another part."""
    place = int(group_id[:8], 16) / _SCALE
    if place < config.test_share:
        return "test"
    return "validation" if place < config.test_share + config.validation_share else "train"


def merge_repeats(rows: list[Row], threshold: float) -> tuple[list[Row], dict[str, str]]:
    """The rows that stay, and row id → keeper for those that nearly repeat an earlier pair.

    Walks from the earliest day on, so that a later day never changes what happened to an earlier row. Pairs are
    compared by question and answer together; pairs that name different numbers never merge. Rows of equal id (a file
    collected on several days) stay once.
    """
    kept: dict[str, Row] = {}
    merged: dict[str, str] = {}
    buckets: dict[str, list[str]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["ds"], row["event_time"], row["row_id"])):
        if row["row_id"] in kept or row["row_id"] in merged:
            continue
        keeper = None
        if row["is_pair"]:
            body = _body(row)
            bands = [f"{band}|{similarity.numbers(body)}" for band in similarity.bands(body)]
            candidates = sorted({row_id for band in bands for row_id in buckets[band]})
            alike = (one for one in candidates if similarity.jaccard(body, _body(kept[one])) >= threshold)
            keeper = next(alike, None)
            if keeper is None:
                for band in bands:
                    buckets[band].append(row["row_id"])
        if keeper is None:
            kept[row["row_id"]] = row
        else:
            merged[row["row_id"]] = keeper
    return list(kept.values()), merged


def _body(row: Row) -> str:
    return f"{row['question']}\n{row['answer']}"
