"""Exchanges and feedback, and a spool that a real writer made of them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmops.monitoring.interactions.records import Exchange, Feedback
from llmops.monitoring.interactions.redaction import PersonalDataRedactor
from llmops.monitoring.interactions.writer import InteractionWriter

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
KARI, OLA = "<SUBJECT:00000000000000aa>", "<SUBJECT:00000000000000bb>"


def answer_id(number: int) -> str:
    """An id that a test can tell."""
    return f"{number:064x}"


def exchange(number: int, **values: Any) -> Exchange:
    """An answer to Kari, who agreed, at noon of 2 November."""
    fields: dict[str, Any] = {
        "answer_id": answer_id(number),
        "event_time": NOON,
        "model": "shop-assistant/7",
        "template": "support-1",
        "subject": KARI,
        "consent": True,
        "question": f"Question {number}?",
        "context": "Parcels take two days.",
        "answer": f"Answer {number}.",
    }
    return Exchange(**fields | values)


def feedback(number: int, **values: Any) -> Feedback:
    """What Kari said about an answer, half an hour later."""
    fields: dict[str, Any] = {
        "answer_id": answer_id(number),
        "event_time": NOON.replace(minute=30),
        "subject": KARI,
        "consent": True,
    }
    return Feedback(**fields | values)


def write(spool: Path, *records: Exchange | Feedback) -> None:
    """Let a writer keep the records, in files of its own."""
    writer = InteractionWriter(spool, redactors=[PersonalDataRedactor()])
    for record in records:
        if isinstance(record, Exchange):
            writer.record_exchange(record)
        else:
            writer.record_feedback(record)
    assert writer.close()
    assert writer.counts()["written"] == len(records)


def lines_in(spool: Path) -> list[dict[str, Any]]:
    """All lines of all files, each read as plain JSON."""
    return [json.loads(line) for path in sorted(spool.rglob("*.jsonl")) for line in path.read_bytes().splitlines()]


def bytes_in(folder: Path) -> bytes:
    """Everything that is stored in a folder, names included."""
    paths = sorted(folder.rglob("*"))
    return b"\n".join([*(str(path).encode() for path in paths), *(p.read_bytes() for p in paths if p.is_file())])
