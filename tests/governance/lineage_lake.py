"""A lake of two days with few rows whose ways are known by heart, up to a signed release and its answers.

Day 1 has rows a1 (of Ada), b1 (of Ben) and k1 (knowledge); day 2 has c2 (of Ada) and d2, which cleaning sets aside.
k1 became the context of b1. Trained on: b1. Chosen by: c2. Scored on: a1.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from llmops import artifacts, digests, schemas, signing
from llmops.config import StageConfig
from llmops.manifest import Manifest
from llmops.publishing.releases import BaseModelRecord, ReleaseRecord
from llmops.settings import Settings

DAYS = (date(2026, 3, 1), date(2026, 3, 2))
A1, B1, K1, C2, D2 = (digits * 16 for digits in ("a1", "b1", "ce", "c2", "d2"))
ADA, ADAS_NAME = "ada@example.com", "<EMAIL:0123456789abcdef>"
VERSION = "shop-1"
_STRING = pa.string()
_SCHEMA = pa.schema(
    [
        ("row_id", _STRING),
        ("parents", schemas.STRINGS),
        ("source", _STRING),
        ("uri", _STRING),
        ("position", pa.int64()),
        ("subject_id", _STRING),
        ("part", _STRING),
    ]
)
Row = dict[str, Any]


def _row(row_id: str, parents: Sequence[str] = (), **more: Any) -> Row:
    return {**dict.fromkeys(_SCHEMA.names), "row_id": row_id, "parents": list(parents), **more}


def commit(
    target: str,
    stage: str,
    inputs: Sequence[Manifest] = (),
    rows: Sequence[Row] | None = None,
    *,
    aside: Mapping[str, str] = {},
    day: date | None = None,
    files: Mapping[str, bytes] = {},
    settings: Settings | None = None,
) -> Manifest:
    """An artifact with these rows, or with a file that tells it from all others."""
    attempt = artifacts.begin(target, stage=stage, version=1, config=StageConfig(), inputs=inputs, day=day)
    if rows is not None:
        attempt.write_table(pa.Table.from_pylist(list(rows), schema=_SCHEMA), _SCHEMA)
    for name, data in {"content.json": stage.encode(), **files}.items() if rows is None else ():
        attempt.write_bytes(name, data)
    attempt.set_aside([{"row_id": row_id, "rule": rule, "reason": "-", "uri": "-"} for row_id, rule in aside.items()])
    sign = None if settings is None else lambda manifest: signing.sign_manifest(manifest, settings.signing_key)
    return attempt.commit(sign=sign)


def make_days(lake: str) -> list[Manifest]:
    """Raw to examples, both days."""
    first, second = DAYS
    raw = {
        first: [
            _row(A1, source="chats", uri="1/chat.txt", position=0, subject_id=ADA),
            _row(B1, source="chats", uri="1/chat.txt", position=1, subject_id="ben"),
            _row(K1, source="faq", uri="1/faq.html", position=0),
        ],
        second: [
            _row(C2, source="chats", uri="2/chat.txt", position=0, subject_id=ADA),
            _row(D2, source="chats", uri="2/chat.txt", position=1, subject_id=ADA),
        ],
    }
    examples = []
    for day, rows in raw.items():
        names = {row["row_id"]: ADAS_NAME if row["subject_id"] == ADA else row["subject_id"] for row in rows}
        collected = commit(f"{lake}/raw/ds={day}", "collect", [], rows, day=day)
        same = [_row(row_id, [row_id], subject_id=name) for row_id, name in names.items()]
        redacted = commit(f"{lake}/redacted/ds={day}", "redact", [collected], same)
        kept = [row for row in same if row["row_id"] != D2]
        aside = {D2: "too_short"} if day == second else {}
        clean = commit(f"{lake}/clean/ds={day}", "clean", [redacted], kept, aside=aside)
        with_context = [{**row, "parents": [B1, K1]} if row["row_id"] == B1 else row for row in kept]
        examples.append(commit(f"{lake}/examples/ds={day}", "annotate", [clean], with_context))
    return examples


def make_lake(home: Path) -> Settings:
    """Everything, with one release that is signed and has answered three times."""
    settings = Settings(home=home, lake=str(home / "lake"), service_logs=str(home / "run/service*.log"))
    signing.create_keys(settings=settings)
    lake, as_of = settings.lake, f"as_of={DAYS[-1]}"
    parts = {A1: "test", B1: "train", C2: "validation", K1: "context"}
    split = commit(
        f"{lake}/splits/{as_of}", "split", make_days(lake), [_row(i, [i], part=part) for i, part in parts.items()]
    )
    pairs = [_row(row_id, [row_id], part=parts[row_id]) for row_id in (A1, B1, C2)]
    tokens = commit(f"{lake}/tokens/{as_of}", "tokenize", [split], pairs)
    features = commit(f"{lake}/features/{as_of}", "materialize", [tokens], pairs)
    model = commit(f"{lake}/models/tiny", "import-model")
    tuning = commit(f"{lake}/tuning/{as_of}", "tune", [features, model])
    adapter = commit(f"{lake}/adapters/{as_of}", "finetune", [features, model, tuning])
    evaluation = commit(f"{lake}/evaluations/{as_of}", "evaluate", [adapter, features, model])
    decision = commit(f"{lake}/decisions/{as_of}", "gate", [evaluation])
    record = ReleaseRecord(
        version=VERSION,
        as_of=DAYS[-1],
        base=BaseModelRecord(path="models/tiny", digest=model.digest, licence="MIT", files={}),
        adapter=adapter.digest,
        features=features.digest,
        template="support-9",
        system="-",
        max_new_tokens=8,
        temperature=0,
        scores={},
    )
    files = {"release.json": digests.canonical_json(record)}
    commit(f"{lake}/releases/{VERSION}", "publish", [decision], files=files, settings=settings)
    write_answers(home, {"1" * 64: VERSION, "2" * 64: VERSION, "3" * 64: "base-0123"})
    return settings


def write_answers(home: Path, answers: Mapping[str, str]) -> None:
    """Lines of a service's log."""
    lines = [
        {
            "@timestamp": datetime(2026, 3, 3, 12, 0, number, tzinfo=UTC).isoformat().replace("+00:00", "Z"),
            "event": {"dataset": "llmops.access"},
            "gen_ai": {"response": {"id": answer_id, "model": model}},
        }
        for number, (answer_id, model) in enumerate(answers.items())
    ]
    (home / "run").mkdir(exist_ok=True)
    (home / "run/service.log").write_text("".join(json.dumps(line) + "\n" for line in lines))
