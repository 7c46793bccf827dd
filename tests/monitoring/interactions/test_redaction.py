"""Redaction in a process of its own: the same results, and nothing kept when it fails."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.errors import ConfigurationError
from llmops.monitoring.interactions.redaction import PersonalDataRedactor, Redacted, RedactionProcess
from llmops.monitoring.interactions.writer import InteractionWriter
from tests.monitoring.interactions.samples import answer_id, bytes_in, exchange, lines_in

PLANTED = json.loads(Path("tests/examples_planted.json").read_text(encoding="utf-8"))
DEADLY = "+49 30 1234567, " * 50_000  # takes minutes


@pytest.fixture
def process() -> Iterator[RedactionProcess]:
    process = RedactionProcess(limit_seconds=2)
    yield process
    process.close()


def children() -> set[int]:
    """Process ids of this process's children."""
    tasks = Path("/proc/self/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}


def test_process_takes_out_what_was_planted(process: RedactionProcess) -> None:
    texts = [f"my größe is {item['value']}\n." for item in PLANTED["personal_data"]]

    results = process.redact(texts)

    assert [result.types for result in results] == [(item["type"],) for item in PLANTED["personal_data"]]
    assert [result.text for result in results] == [
        f"my größe is <{item['type']}>\n." for item in PLANTED["personal_data"]
    ]
    assert process.redact([]) == []


def test_text_that_takes_too_long_is_given_up_and_the_next_is_redacted(process: RedactionProcess) -> None:
    with pytest.raises(ChildProcessError, match="has ended"):
        process.redact(["fine", DEADLY])

    assert process.redact(["a@example.org"]) == [Redacted("<EMAIL>", ("EMAIL",))]


def test_writer_keeps_no_text_of_a_record_whose_redaction_died(tmp_path: Path) -> None:
    before = children()
    writer = InteractionWriter(tmp_path)
    writer.record_exchange(exchange(1))
    assert writer.flush()
    (child,) = children() - before
    os.kill(child, signal.SIGKILL)

    for number in (2, 3):
        writer.record_exchange(exchange(number))

    assert writer.close()
    assert [line["record"]["answer_id"] for line in lines_in(tmp_path)] == [answer_id(number) for number in (1, 2, 3)]
    assert b"Question 2?" not in bytes_in(tmp_path)
    assert b"Question 3?" in bytes_in(tmp_path)
    assert writer.counts()["withheld_redaction_failed"] == 1
    assert children() == before


@pytest.mark.parametrize("kind", [PersonalDataRedactor, RedactionProcess])
@pytest.mark.parametrize("wrong", [{"types": ["CARDS"]}, {"types": []}, {"phone_regions": ["UK"]}])
def test_redaction_that_would_find_nothing_is_refused(kind: type, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="no such type or region"):
        kind(**wrong)
