"""What a writer keeps and what it does not: consent, personal data, and never an answer held up."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.monitoring.interactions.redaction import PersonalDataRedactor, Redacted
from llmops.monitoring.interactions.writer import InteractionWriter
from tests.monitoring.interactions.samples import answer_id, bytes_in, exchange, feedback, lines_in, write


class Failing(PersonalDataRedactor):
    """Cannot redact texts with a certain word."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word = word

    def redact(self, texts: Sequence[str]) -> list[Redacted]:
        """As the parent class, or not at all."""
        if any(self._word in text for text in texts):
            raise ZeroDivisionError(texts)
        return super().redact(texts)


class Slow(PersonalDataRedactor):
    """As slow as a disk that hangs, until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()

    def redact(self, texts: Sequence[str]) -> list[Redacted]:
        """As the parent class, later."""
        self.may_go_on.wait()
        return super().redact(texts)


PLANTED = json.loads(Path("tests/examples_planted.json").read_text(encoding="utf-8"))


def test_exchange_and_feedback_are_kept_word_for_word(tmp_path: Path) -> None:
    question = 'Ist "Größe 42"\nda? \u2028 ' + "\U0001f9e6"
    write(tmp_path, exchange(1, question=question), feedback(1, rating="bad", corrected_answer="Ja."))

    asked, said = (line["record"] for line in lines_in(tmp_path))
    assert asked == {
        "kind": "exchange",
        "answer_id": answer_id(1),
        "event_time": "2026-11-02T12:00:00Z",
        "model": "shop-assistant/7",
        "template": "support-1",
        "subject": "<SUBJECT:00000000000000aa>",
        "consent": True,
        "question": question,
        "context": "Parcels take two days.",
        "answer": "Answer 1.",
    }
    assert (said["rating"], said["corrected_answer"]) == ("bad", "Ja.")


@pytest.mark.parametrize("planted", PLANTED["personal_data"], ids=lambda item: item["type"])
def test_planted_personal_data_is_in_no_file(tmp_path: Path, planted: dict[str, str]) -> None:
    text = f"Before it {planted['value']} and after."
    write(tmp_path, exchange(1, question=text, context=text, answer=text), feedback(1, corrected_answer=text))

    stored = bytes_in(tmp_path).decode()
    assert planted["value"] not in stored
    assert stored.count("Before it <") == 4
    assert stored.count("and after.") == 4
    assert [line["redactions"] for line in lines_in(tmp_path)] == [[planted["type"]] * 3, [planted["type"]]]


@pytest.mark.parametrize("planted", PLANTED["look_alikes"], ids=lambda item: item["value"])
def test_look_alike_is_kept(tmp_path: Path, planted: dict[str, str]) -> None:
    write(tmp_path, exchange(1, question=f"What of {planted['value']}?"))

    assert lines_in(tmp_path)[0]["record"]["question"] == f"What of {planted['value']}?"


def test_without_consent_no_text_is_kept_but_the_rating_is(tmp_path: Path) -> None:
    secret = "Nobody agreed to this"
    write(
        tmp_path,
        exchange(1, consent=False, question=secret, context=secret, answer=secret),
        feedback(1, consent=False, rating="bad", corrected_answer=secret),
    )

    assert b"Nobody" not in bytes_in(tmp_path)
    asked, said = lines_in(tmp_path)
    assert (asked["withheld"], said["withheld"]) == ("no_consent", "no_consent")
    assert asked["record"]["answer_id"] == said["record"]["answer_id"] == answer_id(1)
    assert said["record"]["rating"] == "bad"


def test_text_that_cannot_be_redacted_is_not_kept(tmp_path: Path) -> None:
    writer = InteractionWriter(tmp_path, redactors=[Failing("42")])
    writer.record_exchange(exchange(42))
    writer.record_exchange(exchange(43))

    assert writer.close()
    assert b"Answer 42" not in bytes_in(tmp_path)
    assert b"two days" in bytes_in(tmp_path)  # of the other one
    assert [line["record"]["answer_id"] for line in lines_in(tmp_path)] == [answer_id(42), answer_id(43)]
    counts = writer.counts()
    assert (counts["written"], counts["withheld_redaction_failed"]) == (2, 1)


def test_failed_redaction_is_logged_without_the_text(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    writer = InteractionWriter(tmp_path, redactors=[Failing("42")])
    writer.record_exchange(exchange(42))

    assert writer.close()
    shown = "".join(capfd.readouterr())
    assert "ZeroDivisionError" in shown
    assert "Question" not in shown


def test_full_queue_drops_and_counts_and_holds_nobody_up(tmp_path: Path) -> None:
    slow = Slow()
    writer = InteractionWriter(tmp_path, redactors=[slow], max_queued_characters=100_000)
    for number in range(1_000):  # would never end if one call waited
        writer.record_exchange(exchange(number, question="x" * 3_000, context=None, answer=None))
    stuck = writer.counts()
    slow.may_go_on.set()

    assert writer.close()
    assert stuck["queued"] + stuck["dropped_queue_full"] == 1_000
    assert 20 <= stuck["queued"] <= 100_000 / 3_000
    assert [line["record"]["answer_id"] for line in lines_in(tmp_path)] == [
        answer_id(n) for n in range(stuck["queued"])
    ]


def test_records_without_text_are_bounded_as_well(tmp_path: Path) -> None:
    slow = Slow()
    writer = InteractionWriter(tmp_path, redactors=[slow], max_queued_characters=100_000)
    writer.record_exchange(exchange(0))
    for number in range(1_000):
        writer.record_feedback(feedback(number, rating="good"))
    queued = writer.counts()["queued"]
    slow.may_go_on.set()

    assert writer.close()
    assert 50 <= queued <= 100


def test_close_gives_up_on_a_disk_that_hangs(tmp_path: Path) -> None:
    slow = Slow()
    writer = InteractionWriter(tmp_path, redactors=[slow])
    for number in range(10):
        writer.record_exchange(exchange(number))

    assert not writer.close(timeout_seconds=0.2)
    assert writer.counts()["dropped_closed"] == 9  # the tenth is in the hands of the disk
    slow.may_go_on.set()
    assert writer.close()


def test_closed_writer_drops_and_counts(tmp_path: Path) -> None:
    writer = InteractionWriter(tmp_path, redactors=[PersonalDataRedactor()])
    assert writer.close()

    writer.record_exchange(exchange(1))

    assert writer.counts()["dropped_closed"] == 1
    assert writer.flush(timeout_seconds=0)
    assert lines_in(tmp_path) == []


def test_half_of_a_character_does_not_lose_the_rest(tmp_path: Path) -> None:
    write(tmp_path, exchange(1, question="Broken \ud83e emoji"))

    assert lines_in(tmp_path)[0]["record"]["question"] == "Broken ? emoji"


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": "kari@example.org"},
        {"subject": "Kari"},
        {"answer_id": "1"},
        {"consent": "yes"},
        {"event_time": "2026-11-02T12:00:00"},
    ],
)
def test_record_that_could_name_a_person_or_mean_two_things_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        exchange(1, **wrong)
