"""What the sample shop promises: enough distinct pairs over enough days, and held-out answers that are not copies."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from llmops import artifacts, recipe
from llmops.annotation.stage import group_of
from llmops.collection.stage import collect_sources
from llmops.splitting.assign import merge_repeats, part_of
from llmops.splitting.config import SplitConfig

PLANTED = json.loads(Path("tests/examples_planted.json").read_text(encoding="utf-8"))
DAYS = [date(2026, 11, day) for day in range(2, 10)]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Distinct question/answer rows of all days, with their part."""
    lake = tmp_path_factory.mktemp("lake")
    config = recipe.load(Path("recipes/quickstart.toml")).collect
    rows = []
    for day in DAYS:
        raw = artifacts.read_table(collect_sources("examples/shop", f"{lake}/{day}", config=config, day=day))
        found = [row for row in raw.to_pylist() if (row["question"] or "").strip() and (row["answer"] or "").strip()]
        rows += [{**row, "ds": day, "is_pair": True, "group_id": group_of(row["question"])} for row in found]
    kept, _ = merge_repeats(rows, 0.7)
    return [{**row, "part": part_of(row["group_id"], SplitConfig())} for row in kept]


def grams(text: str, words: int = 8) -> set[tuple[str, ...]]:
    """Runs of consecutive words."""
    tokens = text.lower().split()
    return {tuple(tokens[start : start + words]) for start in range(len(tokens) - words + 1)}


def test_there_are_enough_distinct_pairs_and_most_come_first(pairs: list[dict[str, Any]]) -> None:
    by_day = {day: sum(row["ds"] == day for row in pairs) for day in DAYS}

    assert len(pairs) >= PLANTED["pairs_at_least"] >= 250
    assert by_day[DAYS[0]] / len(pairs) > 0.7
    assert all(by_day[day] >= 5 for day in DAYS)


def test_held_out_pairs_share_next_to_no_eight_grams_with_training(pairs: list[dict[str, Any]]) -> None:
    seen = {
        gram
        for row in pairs
        if row["part"] == "train"
        for field in ("question", "answer")
        for gram in grams(row[field])
    }
    held_out = [row for row in pairs if row["part"] == "test"]
    own = [gram for row in held_out for field in ("question", "answer") for gram in grams(row[field])]

    overlap = sum(gram in seen for gram in own) / len(own)

    assert len(held_out) >= 40
    assert overlap <= 0.002  # measured: 0.0


def test_every_kind_of_source_and_several_scripts_are_there(pairs: list[dict[str, Any]]) -> None:
    text = "".join(row["question"] for row in pairs)

    assert {row["kind"] for row in pairs} == {"json", "html", "chat"}
    assert all(any(low <= letter <= high for letter in text) for low, high in ("Αω", "Ая", "ぁん"))
