"""What the sample shop promises: enough distinct pairs over enough days, and held-out answers that are not copies."""

import json
import unicodedata
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from llmops import artifacts, recipe
from llmops.annotation.stage import group_of
from llmops.collection.stage import collect_sources
from llmops.manifest import Manifest
from llmops.settings import Settings
from llmops.splitting.assign import merge_repeats, part_of

PLANTED = json.loads(Path("tests/examples_planted.json").read_text(encoding="utf-8"))
DAYS = [date(2026, 11, day) for day in range(2, 10)]


RECIPE = recipe.load(Path("recipes/quickstart.toml"))


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> dict[date, Manifest]:
    """The raw rows of every day."""
    lake = tmp_path_factory.mktemp("lake")
    settings = Settings(home=Path(lake))
    return {
        day: collect_sources("examples/shop", f"{lake}/ds={day}", config=RECIPE.collect, day=day, settings=settings)
        for day in DAYS
    }


@pytest.fixture(scope="module")
def answered(days: dict[date, Manifest]) -> list[dict[str, Any]]:
    """Every raw row with a question and an answer."""
    rows = [{**row, "ds": day} for day, raw in days.items() for row in artifacts.read_table(raw).to_pylist()]
    return [row for row in rows if (row["question"] or "").strip() and (row["answer"] or "").strip()]


@pytest.fixture(scope="module")
def pairs(answered: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is left of them once repeats are merged, with their part."""
    rows = [{**row, "is_pair": True, "group_id": group_of(row["question"])} for row in answered]
    kept, _ = merge_repeats(rows, RECIPE.split.similarity_threshold)
    return [{**row, "part": part_of(row["group_id"], RECIPE.split)} for row in kept]


def body(row: dict[str, Any]) -> str:
    return f"{row['question']}\n{row['answer']}"


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


def test_as_many_rows_repeat_another_exactly_as_were_planted(answered: list[dict[str, Any]]) -> None:
    assert len(answered) - len({body(row) for row in answered}) == PLANTED["exact_duplicates"]


def test_of_each_planted_near_duplicate_one_stays(answered: list[dict[str, Any]], pairs: list[dict[str, Any]]) -> None:
    given, kept = ([body(row) for row in rows] for rows in (answered, pairs))

    for planted in PLANTED["near_duplicates"]:
        assert {planted["a"], planted["b"]} <= set(given)
        assert (planted["a"] in kept) + (planted["b"] in kept) == 1, planted["a"]


def test_each_broken_file_is_set_aside_and_nothing_else_is(days: dict[date, Manifest]) -> None:
    aside = [row for raw in days.values() for row in artifacts.read_table(raw, quarantine=True).to_pylist()]

    assert {f"examples/shop/{row['uri']}" for row in aside} == set(PLANTED["broken_files"])
    assert len({Path(file).suffix for file in PLANTED["broken_files"]}) == 7  # one of each kind
    assert all(row["reason"] for row in aside)


def test_the_dirt_is_honest(days: dict[date, Manifest]) -> None:
    rows = [row for raw in days.values() for row in artifacts.read_table(raw).to_pylist()]
    texts = [row[name] for row in rows for name in ("question", "answer", "text") if row[name]]
    characters = set("".join(texts))

    assert any(row["question"] and not row["answer"] for row in rows)
    assert "\u200b" in characters
    assert any(unicodedata.category(character) == "Cc" for character in characters - set("\n\t\r"))
    assert any("Ã" in text or "â€" in text for text in texts)  # UTF-8 read as Windows-1252
    assert any(text != unicodedata.normalize("NFC", text) for text in texts)
