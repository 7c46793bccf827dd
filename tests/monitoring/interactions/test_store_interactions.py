"""One day's spool as a partition: who may train, what late feedback does, and every line accounted for."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmops import artifacts
from llmops.errors import ConfigurationError, Refused, SourceError
from llmops.manifest import Manifest
from llmops.monitoring.interactions.config import StoreInteractionsConfig
from llmops.monitoring.interactions.stage import store_interactions
from llmops.settings import Settings
from tests.monitoring.interactions.samples import NOON, OLA, answer_id, exchange, feedback, write

DAY = date(2026, 11, 2)
LATER = {"event_time": NOON + timedelta(hours=2)}
DEFAULT = StoreInteractionsConfig()


def store(folder: Path, day: date = DAY, config: StoreInteractionsConfig = DEFAULT, lake: str = "lake") -> Manifest:
    """Store a day of `folder/spool`."""
    target, settings = str(folder / lake / f"interactions/ds={day}"), Settings(home=folder)
    return store_interactions(str(folder / "spool"), target, config=config, day=day, settings=settings)


def rows_of(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Stored rows by answer id."""
    return {row["row_id"]: row for row in artifacts.read_table(manifest).to_pylist()}


def rules_of(manifest: Manifest) -> list[str]:
    """Why lines were set aside."""
    return sorted(row["rule"] for row in artifacts.read_table(manifest, quarantine=True).to_pylist())


@pytest.mark.parametrize(
    ("asked", "said", "expected"),
    [
        ({}, [], (False, "unrated")),
        ({}, [{"rating": "good"}], (True, "well_rated")),
        ({}, [{"rating": "bad"}], (False, "badly_rated")),
        ({}, [{"rating": "bad", "corrected_answer": "Four."}], (True, "corrected")),
        ({}, [{"rating": "bad", "corrected_answer": " \n"}], (False, "badly_rated")),
        ({}, [{"corrected_answer": "Four."}, {"rating": "bad", **LATER}], (True, "corrected")),
        ({}, [{"rating": "good"}, {"rating": "bad", **LATER}], (False, "badly_rated")),
        ({}, [{"rating": "bad"}, {"rating": "good", **LATER}], (True, "well_rated")),
        ({"consent": False}, [{"rating": "good"}], (False, "no_consent")),
        ({"consent": False}, [{"corrected_answer": "Four."}], (False, "no_consent")),
        ({}, [{"rating": "good"}, {"consent": False, **LATER}], (False, "no_consent")),
        ({}, [{"consent": False, "rating": "bad"}, {"rating": "good", **LATER}], (True, "well_rated")),
        ({"question": " "}, [{"rating": "good"}], (False, "no_question")),
        ({"answer": ""}, [{"rating": "good"}], (False, "no_answer")),
        ({"answer": ""}, [{"corrected_answer": "Four."}], (True, "corrected")),
    ],
)
def test_consented_and_well_rated_or_corrected_trains(
    tmp_path: Path, asked: dict[str, Any], said: list[dict[str, Any]], expected: tuple[bool, str]
) -> None:
    write(tmp_path / "spool", exchange(1, **asked), *(feedback(1, **fields) for fields in said))

    row = rows_of(store(tmp_path))[answer_id(1)]

    assert (row["is_trainable"], row["reason"]) == expected
    if row["reason"] == "no_consent":
        assert {row[name] for name in ("question", "context", "answer", "corrected_answer")} == {None}


def test_row_holds_what_was_asked_answered_and_said(tmp_path: Path) -> None:
    said = feedback(1, rating="bad", corrected_answer="Write to kari@example.org.")
    write(tmp_path / "spool", exchange(1, question="Call 4111 1111 1111 1111?"), said)

    manifest = store(tmp_path)

    row = rows_of(manifest)[answer_id(1)]
    assert len(row.pop("parents")) == 2
    assert row == {
        "row_id": answer_id(1),
        "event_time": NOON,
        "feedback_time": NOON + timedelta(minutes=30),
        "subject_id": "<SUBJECT:00000000000000aa>",
        "model": "shop-assistant/7",
        "template": "support-1",
        "has_consent": True,
        "question": "Call <CARD>?",
        "context": "Parcels take two days.",
        "answer": "Answer 1.",
        "corrected_answer": "Write to <EMAIL>.",
        "rating": "bad",
        "redactions": ["CARD", "EMAIL"],
        "is_trainable": True,
        "reason": "corrected",
    }
    expected = {"kept": 1, "set_aside": 0, "trainable": 1, "corrected": 1, "rated_bad": 1, "of_earlier_days": 0}
    assert manifest.counts == expected | {"redacted_card": 1, "redacted_email": 1}


def test_feedback_of_somebody_else_is_set_aside(tmp_path: Path) -> None:
    write(tmp_path / "spool", exchange(1), feedback(1, subject=OLA, rating="good"), feedback(2, rating="good"))

    manifest = store(tmp_path)

    assert rows_of(manifest)[answer_id(1)]["rating"] is None
    assert rules_of(manifest) == ["another_subject", "unknown_answer"]


def test_late_feedback_stores_the_exchange_again_on_its_own_day(tmp_path: Path) -> None:
    two_days_on = NOON + timedelta(days=2)
    write(
        tmp_path / "spool",
        exchange(1),
        exchange(2),
        feedback(1, rating="bad"),
        feedback(1, corrected_answer="Four.", event_time=NOON + timedelta(days=1)),
        feedback(1, subject=OLA, rating="good", event_time=NOON + timedelta(days=1)),
        feedback(1, rating="good", event_time=two_days_on),
        exchange(3, event_time=two_days_on),
    )

    first, last = store(tmp_path), store(tmp_path, date(2026, 11, 4))

    then, now = rows_of(first), rows_of(last)
    assert {key: row["reason"] for key, row in then.items()} == {answer_id(1): "badly_rated", answer_id(2): "unrated"}
    assert {key: row["reason"] for key, row in now.items()} == {answer_id(1): "corrected", answer_id(3): "unrated"}
    assert (now[answer_id(1)]["rating"], now[answer_id(1)]["corrected_answer"]) == ("good", "Four.")
    assert len(now[answer_id(1)]["parents"]) == 4
    assert rules_of(last) == []  # what Ola said was set aside on its day
    assert last.counts["of_earlier_days"] == 1
    assert store(tmp_path).digest == first.digest  # a stored day stays


def test_refused_feedback_does_not_store_the_exchange_again(tmp_path: Path) -> None:
    a_day_on = NOON + timedelta(days=1)
    write(tmp_path / "spool", exchange(1), feedback(1, subject=OLA, rating="good", event_time=a_day_on))

    manifest = store(tmp_path, a_day_on.date())

    assert rows_of(manifest) == {}
    assert rules_of(manifest) == ["another_subject"]


@pytest.mark.parametrize(("days", "rules"), [(3, []), (2, ["unknown_answer"])])
def test_answers_are_looked_for_so_many_days_back(tmp_path: Path, days: int, rules: list[str]) -> None:
    write(tmp_path / "spool", exchange(1), feedback(1, rating="good", event_time=NOON + timedelta(days=3)))

    manifest = store(tmp_path, date(2026, 11, 5), StoreInteractionsConfig(feedback_days=days))

    assert rules_of(manifest) == rules
    assert len(rows_of(manifest)) == 1 - len(rules)


def test_withdrawn_consent_takes_the_text_out_of_the_newest_row(tmp_path: Path) -> None:
    write(tmp_path / "spool", exchange(1), feedback(1, consent=False, event_time=NOON + timedelta(days=1)))

    row = rows_of(store(tmp_path, date(2026, 11, 3)))[answer_id(1)]

    assert (row["has_consent"], row["question"], row["answer"]) == (False, None, None)


def test_one_subject_cannot_fill_a_day(tmp_path: Path) -> None:
    write(
        tmp_path / "spool",
        *(exchange(number, event_time=NOON + timedelta(seconds=number)) for number in range(6)),
        *(feedback(number, rating="good" if number else "bad") for number in range(6)),
        exchange(10, subject=OLA),
        feedback(10, subject=OLA, rating="good"),
    )

    rows = rows_of(store(tmp_path, config=StoreInteractionsConfig(max_trainable_per_subject=2)))

    trains = sorted(int(key, 16) for key, row in rows.items() if row["is_trainable"])
    assert trains == [1, 2, 10]
    assert rows[answer_id(3)]["reason"] == "over_subject_cap"


def test_broken_lines_are_counted_with_their_reasons_and_no_text(tmp_path: Path) -> None:
    write(tmp_path / "spool", exchange(1), exchange(2, event_time=NOON + timedelta(days=1)))
    (path,) = (tmp_path / "spool/ds=2026-11-02").iterdir()
    (other,) = (tmp_path / "spool/ds=2026-11-03").iterdir()
    whole = path.read_bytes()
    unconsented = whole.replace(b'"consent":true', b'"consent":false')
    keyed = whole.replace(b'"version":1', b'"Kari lives here":1')
    path.write_bytes(whole + b"Kari said\n" + b"\xff\n" + unconsented + keyed + other.read_bytes() + whole[:-30])

    manifest = store(tmp_path)

    assert list(rows_of(manifest)) == [answer_id(1)]
    assert rules_of(manifest) == [*["invalid_record"] * 4, "torn_line", "wrong_day"]
    assert {name: manifest.counts[name] for name in ("invalid_record", "torn_line", "wrong_day")} == {
        "invalid_record": 4,
        "torn_line": 1,
        "wrong_day": 1,
    }
    aside = str(artifacts.read_table(manifest, quarantine=True).to_pylist())
    assert "Kari" not in aside
    assert "Question" not in aside


def test_repeated_answer_id_is_set_aside_and_a_copied_file_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "spool", exchange(1), exchange(1, answer="Another.", **LATER))
    (path,) = (tmp_path / "spool/ds=2026-11-02").iterdir()
    path.with_name("copy.jsonl").write_bytes(path.read_bytes())

    manifest = store(tmp_path)

    assert rows_of(manifest)[answer_id(1)]["answer"] == "Answer 1."
    assert rules_of(manifest) == ["repeated_answer"]


def test_digest_depends_on_what_was_said_and_not_on_files(tmp_path: Path) -> None:
    records = [exchange(1), exchange(2), feedback(1, rating="good"), feedback(2, rating="bad")]
    one, two = tmp_path / "one", tmp_path / "two"
    write(one / "spool", *records)
    for record in reversed(records):
        write(two / "spool", record)

    assert store(one).digest == store(one, lake="again").digest == store(two).digest


def test_day_is_made_anew_only_when_something_was_added(tmp_path: Path) -> None:
    write(tmp_path / "spool", exchange(1))
    first, again = store(tmp_path), store(tmp_path)
    write(tmp_path / "spool", feedback(1, rating="good"))

    changed = store(tmp_path)

    assert again == first
    assert changed.digest != first.digest
    assert rows_of(changed)[answer_id(1)]["reason"] == "well_rated"


def test_wrong_folders_and_days_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the folder that the service writes"):
        store(tmp_path)
    write(tmp_path / "spool", exchange(1))
    with pytest.raises(Refused, match="nothing was written on 2026-11-03"):
        store(tmp_path, date(2026, 11, 3))
    with pytest.raises(ConfigurationError, match="not the partition of 2026-11-02"):
        store_interactions(
            str(tmp_path / "spool"),
            str(tmp_path / "ds=2026-11-03"),
            config=DEFAULT,
            day=DAY,
            settings=Settings(home=tmp_path),
        )
