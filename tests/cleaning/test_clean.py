"""Cleaning on a real Spark session: what changes, what must not, and what becomes of every row."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from llmops import artifacts, schemas, spark
from llmops.cleaning.config import CleanConfig
from llmops.cleaning.normalise import normalise_texts
from llmops.cleaning.stage import clean_rows, split_rows
from llmops.errors import CorruptArtifactError, MissingArtifactError
from llmops.manifest import Manifest
from llmops.redaction.config import RedactConfig
from llmops.settings import Settings

CONFIG = CleanConfig()


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    """One local session for the module."""
    with spark.session("local[2]", partitions=1) as running:
        yield running


def row(row_id: str, question: str | None = None, answer: str | None = None, **others: Any) -> dict[str, Any]:
    """A redacted row."""
    return {
        "row_id": row_id,
        "parents": [row_id],
        "source": "s",
        "kind": "json",
        "uri": "f",
        "position": 0,
        "event_time": datetime(2026, 11, 2, tzinfo=UTC),
        "subject_id": None,
        "keys": [],
        "question": question,
        "answer": answer,
        "text": None,
        "redactions": [],
        **others,
    }


def split(session: SparkSession, rows: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Kept and set-aside rows by id."""
    frame = session.createDataFrame(pa.Table.from_pylist(rows, schema=schemas.REDACTED))
    kept, aside = split_rows(frame, CONFIG)
    return (
        {item["row_id"]: item.asDict() for item in kept.collect()},
        {item["row_id"]: item.asDict() for item in aside.collect()},
    )


def test_text_is_normalised_without_harm(session: SparkSession) -> None:
    cases = {
        "Cafe\u0301 \u00c5se": "Café Åse",
        "cafÃ© Ã  la carte": "café à la carte",
        "a\u0000b\u0007c\u200bd\ufeffe\u00adf": "abcdef",
        "two \u00a0 words\t here": "two words here",
        "line one \r\n  line two\r\n\r\n\r\n\r\nend  ": "line one\nline two\n\nend",
        "Price: €1,249.00 (was $9.50)? Mail a@b.no! #1 [Answer] ####": None,
        "日本語、Ελληνικά, кириллица, עברית, हिन्दी": None,
        "می\u200cخواهم and 👩\u200d🔧": None,
        "  \u200b \n ": "",
    }
    frame = session.createDataFrame([(text,) for text in cases], "text string")

    found = [item["text"] for item in normalise_texts(frame, ("text",)).collect()]

    assert found == [(text if expected is None else expected) or None for text, expected in cases.items()]


def test_every_dropped_row_says_why(session: SparkSession) -> None:
    kept, aside = split(
        session,
        [
            row("good", "Do you ship to Oslo?", "Yes, in two days."),
            row("knowledge", text="Oslo is served by the post."),
            row("asked", "Unanswered, but it tells something", text="A review that stands alone."),
            row("no-answer", "Anyone there?", " \u200b "),
            row("no-question", None, "It is 42."),
            row("empty", "\u0007", None),
            row("long", "q" * 30_000, "a long story"),
        ],
    )

    assert set(kept) == {"good", "knowledge", "asked"}
    assert {key: value["rule"] for key, value in aside.items()} == {
        "no-answer": "missing_answer",
        "no-question": "missing_question",
        "empty": "empty",
        "long": "too_long",
    }
    assert all(value["reason"] and value["record"] for value in aside.values())


def test_exact_duplicates_merge_into_the_earliest(session: SparkSession) -> None:
    later = datetime(2026, 11, 3, tzinfo=UTC)

    kept, aside = split(
        session,
        [
            row("a", "Do you ship to Oslo?", "Yes.", event_time=later),
            row("b", "Do you ship  to Oslo?", "Yes."),
            row("c", "Do you ship to Oslo?", "Yes.", keys=["FB-1"]),
        ],
    )

    assert set(kept) == {"b", "c"}
    assert (aside["a"]["rule"], aside["a"]["merged_into"]) == ("exact_duplicate", "b")


def test_near_duplicates_merge_in_chains_but_facts_stay_apart(session: SparkSession) -> None:
    question = "Which countries can receive gas cartridges from the shop by courier?"
    answer = "Gas moves by road only, so we send cartridges to Germany and Austria; elsewhere buy any screw cartridge"
    moments = [datetime(2026, 11, 2, hour, tzinfo=UTC) for hour in range(6)]

    kept, aside = split(
        session,
        [
            row("a", question, f"{answer} locally.", event_time=moments[0]),
            row("b", question, f"{answer} locally!!", event_time=moments[1]),
            row("c", f"{question}?", f"{answer}s locally!!", event_time=moments[2]),
            row("d", f"{question}?", f"{answer}s locally!!", event_time=moments[3]),
            row("days-3", "How long does it take?", "Delivery to the islands takes 3 working days by ferry."),
            row("days-5", "How long does it take?", "Delivery to the islands takes 5 working days by ferry."),
            row("tent", "Is it waterproof?", "It is waterproof in any weather, we promise.", keys=["TENT"]),
            row("boot", "Is it waterproof?", "It is waterproof in any weather, we promise!", keys=["BOOT"]),
        ],
    )

    assert set(kept) == {"a", "days-3", "days-5", "tent", "boot"}
    assert {key: (value["rule"], value["merged_into"]) for key, value in aside.items()} == {
        "b": ("near_duplicate", "a"),
        "c": ("near_duplicate", "a"),
        "d": ("exact_duplicate", "a"),
    }
    assert kept["a"]["cluster_id"] == "a"


def redacted(folder: Path, *files: list[dict[str, Any]]) -> Manifest:
    """Commit redacted rows, a file for each list."""
    attempt = artifacts.begin(str(folder), stage="redact", version=1, config=RedactConfig())
    for number, rows in enumerate(files):
        table = pa.Table.from_pylist(rows, schema=schemas.REDACTED)
        attempt.write_table(table, schemas.REDACTED, f"part-{number:05}.parquet")
    return attempt.commit()


def sample_rows() -> list[dict[str, Any]]:
    """Some hundred rows with duplicates among them."""
    return [row(f"{number:04}", f"Question number {number % 180}?", f"Answer {number % 180}.") for number in range(200)]


@pytest.mark.usefixtures("session")
def test_stage_accounts_for_every_row_and_is_reproducible(tmp_path: Path) -> None:
    source = redacted(tmp_path / "redacted", sample_rows())

    backwards = sample_rows()[::-1]
    scattered = redacted(tmp_path / "scattered", backwards[:70], backwards[70:])

    one = clean_rows(source.uri, f"{tmp_path}/one", config=CONFIG, settings=Settings())
    other = clean_rows(scattered.uri, f"{tmp_path}/other", config=CleanConfig(), settings=Settings())

    assert one.counts == {"kept": 180, "set_aside": 20, "exact_duplicate": 20}
    assert one.digest == other.digest


def test_lost_or_cut_file_is_told_before_spark_opens_it(tmp_path: Path) -> None:
    source = redacted(tmp_path / "redacted", sample_rows())
    file = tmp_path / "redacted" / source.files[0].name
    whole = file.read_bytes()

    file.write_bytes(whole[:-20])
    with pytest.raises(CorruptArtifactError, match=r"differs from its manifest.*llmops redact"):
        clean_rows(source.uri, f"{tmp_path}/clean", config=CONFIG, settings=Settings())
    file.unlink()
    with pytest.raises(MissingArtifactError, match=r"is gone.*llmops redact"):
        clean_rows(source.uri, f"{tmp_path}/clean", config=CONFIG, settings=Settings())


@pytest.mark.slow
def test_killed_clean_ends_with_the_same_digest(tmp_path: Path) -> None:
    source = redacted(tmp_path / "redacted", sample_rows())
    command = [str(Path(sys.executable).with_name("llmops")), "clean", source.uri]
    undisturbed = subprocess.run([*command, f"{tmp_path}/one"], capture_output=True, text=True, check=True)
    killed = subprocess.Popen([*command, f"{tmp_path}/other"], start_new_session=True, stderr=subprocess.DEVNULL)
    while not any(tmp_path.glob("other/attempt-*")):  # Spark makes the folder when it begins to write
        assert killed.poll() is None
        time.sleep(0.01)

    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert artifacts.find(f"{tmp_path}/other") is None
    subprocess.run([*command, f"{tmp_path}/other"], capture_output=True, check=True)

    one = artifacts.read(undisturbed.stdout.strip(), stage="clean")
    assert one.digest == artifacts.read(f"{tmp_path}/other", stage="clean").digest


def test_personal_data_that_shows_in_normal_form_is_taken_out_and_counted(tmp_path: Path) -> None:
    wrongly_decoded = "Mail kÃ¤thi@example.org please, it is about my order of last week."
    hidden = {"text": "My card 4111\u200b 1111 1111 1111 was charged twice for the same two tents."}
    source = redacted(
        tmp_path / "redacted", [row("1", text=wrongly_decoded), row("2", **hidden), row("3", text="A tent")]
    )

    made = clean_rows(source.uri, str(tmp_path / "clean"), config=CONFIG, settings=Settings())

    texts = {item["row_id"]: item["text"] for item in artifacts.read_table(made).to_pylist()}
    assert texts["1"] == "Mail <EMAIL> please, it is about my order of last week."
    assert texts["2"] == "My card <CARD> was charged twice for the same two tents."
    assert texts["3"] == "A tent"
    assert {name: count for name, count in made.counts.items() if name.startswith("leftover_")} == {
        "leftover_card": 1,
        "leftover_email": 1,
    }
