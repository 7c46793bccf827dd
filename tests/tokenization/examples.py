"""Split artifacts for tests: examples as `llmops split` leaves them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from llmops import artifacts, schemas
from llmops.annotation.prompts import TEMPLATE, annotate, chat_messages
from llmops.manifest import Manifest
from llmops.splitting.config import SplitConfig

DAY = date(2026, 3, 2)
SYSTEM = "Answer briefly."


def example(row_id: str, question: str, answer: str, *, part: str = "train", day: date = DAY) -> dict[str, Any]:
    """A row of schemas.SPLIT; without question and answer it is knowledge."""
    is_pair = bool(question and answer)
    assistant = [{"role": "assistant", "content": answer}]
    return {
        "row_id": row_id,
        "parents": [row_id],
        "source": "faq",
        "event_time": datetime(day.year, day.month, day.day, 9, tzinfo=UTC),
        "subject_id": None,
        "is_pair": is_pair,
        "group_id": row_id,
        "context": "",
        "question": question,
        "answer": answer,
        "prompt": annotate(question, answer),
        "messages": [*chat_messages(SYSTEM, question), *assistant] if is_pair else [],
        "template": TEMPLATE,
        "ds": day,
        "part": part,
    }


def commit_split(lake: str, rows: Sequence[dict[str, Any]], *, day: date = DAY) -> Manifest:
    """The split of one day, at its place in the lake."""
    attempt = artifacts.begin(
        f"{lake}/splits/as_of={day}", stage="split", version=1, config=SplitConfig(), inputs=[], day=day
    )
    return attempt.write_table(pa.Table.from_pylist(list(rows), schema=schemas.SPLIT), schemas.SPLIT).commit()
