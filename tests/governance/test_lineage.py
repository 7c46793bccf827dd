"""Lineage in both directions, in a lake whose rows' ways are known by heart (`lineage_lake`)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from time import process_time

import pyarrow as pa
import pytest

from llmops import artifacts, schemas
from llmops.config import StageConfig
from llmops.errors import ConfigurationError
from llmops.governance.lineage.consequences import find_impact
from llmops.governance.lineage.origins import trace_answer
from llmops.guards import pseudonyms
from llmops.settings import Settings
from tests.governance.lineage_lake import A1, ADA, ADAS_NAME, B1, C2, D2, DAYS, K1, VERSION, commit, make_lake

LLMOPS = str(Path(sys.executable).with_name("llmops"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_lake(tmp_path)


def uri(settings: Settings, name: str) -> str:
    return f"{settings.lake}/{name}"


def test_an_answer_reaches_release_template_snapshot_rows_and_files(settings: Settings) -> None:
    found = trace_answer("1" * 64, settings)

    assert found["answer"]["at"].startswith("2026-03-03T12:00:00")
    release = found["release"]
    assert (release["version"], release["template"], release["verified"]) == (VERSION, "support-9", True)
    stages = [item["stage"] for item in found["artifacts"]]
    assert stages[:3] == ["gate", "evaluate", "finetune"]
    assert {"tune", "materialize", "tokenize", "split", "import-model", "collect"} <= set(stages)
    assert found["lost"] == []
    assert found["parts"] == {"test": 1, "train": 1, "validation": 1}
    rows = [(row["row_id"], row["source"], row["uri"], row["position"]) for row in found["rows"]]
    assert rows == [(B1, "chats", "1/chat.txt", 1), (K1, "faq", "1/faq.html", 0), (C2, "chats", "2/chat.txt", 0)]


def test_a_release_that_was_tampered_with_is_traced_and_marked(settings: Settings) -> None:
    (path,) = Path(uri(settings, f"releases/{VERSION}")).glob("attempt-*/content.json")
    path.write_bytes(b"other")

    assert trace_answer("1" * 64, settings)["release"]["verified"] is False


def test_what_was_replaced_since_is_named(settings: Settings) -> None:
    commit(uri(settings, f"splits/as_of={DAYS[-1]}"), "split", [], [])

    found = trace_answer("2" * 64, settings)

    assert [item["stage"] for item in found["lost"]] == ["split"]
    assert "tokenize" in {item["stage"] for item in found["artifacts"]}
    assert found["rows"] == []


@pytest.mark.parametrize(("answer", "said"), [("9" * 64, "no such answer"), ("3" * 64, "base-0123")])
def test_an_answer_that_nothing_tells_of_is_an_error(settings: Settings, answer: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        trace_answer(answer, settings)


def test_a_trained_row_reaches_adapter_release_and_answers(settings: Settings) -> None:
    found = find_impact(B1[:8], settings)

    assert {item["stage"] for item in found["models"]} == {"tune", "finetune", "evaluate", "gate", "publish"}
    assert found["releases"] == [VERSION]
    assert found["answers"] == {VERSION: ["1" * 64, "2" * 64]}
    assert found["rows"][uri(settings, f"features/as_of={DAYS[-1]}")] == [B1]


def test_knowledge_reaches_what_it_became_the_context_of(settings: Settings) -> None:
    found = find_impact(K1, settings)

    assert found["rows"][uri(settings, f"clean/ds={DAYS[0]}")] == [K1]
    assert found["rows"][uri(settings, f"examples/ds={DAYS[0]}")] == sorted([B1, K1])
    assert found["rows"][uri(settings, f"features/as_of={DAYS[-1]}")] == [B1]
    assert found["releases"] == [VERSION]


def test_a_row_that_only_scored_made_no_adapter(settings: Settings) -> None:
    found = find_impact(A1, settings)

    assert {item["stage"] for item in found["models"]} == {"evaluate", "gate", "publish"}
    assert found["releases"] == []


def test_a_row_that_was_set_aside_goes_no_further(settings: Settings) -> None:
    found = find_impact(D2, settings)

    assert found["set_aside"] == {uri(settings, f"clean/ds={DAYS[1]}"): {D2: "too_short"}}
    assert set(found["rows"]) == {uri(settings, f"{folder}/ds={DAYS[1]}") for folder in ("raw", "redacted")}
    assert (found["snapshots"], found["models"], found["releases"]) == ([], [], [])


@pytest.mark.parametrize("name", [ADA, ADAS_NAME])
def test_a_persons_rows_are_found_by_identifier_and_by_pseudonym(settings: Settings, name: str) -> None:
    found = find_impact(name, settings)["rows"]

    assert found[uri(settings, f"raw/ds={DAYS[0]}")] == [A1]
    assert found[uri(settings, f"raw/ds={DAYS[1]}")] == sorted([C2, D2])
    assert found[uri(settings, f"splits/as_of={DAYS[-1]}")] == sorted([A1, C2])
    assert not any(B1 in ids for ids in found.values())


def test_stored_exchanges_of_a_person_are_found(settings: Settings) -> None:
    key = pseudonyms.read_key(settings.pseudonym_key)
    own, other = (pseudonyms.pseudonym(name, "SUBJECT", key) for name in (ADA, "ben"))
    names = ("row_id", "subject_id", "model", "template")
    schema = pa.schema([*((name, pa.string()) for name in names), ("event_time", schemas.TIME)])
    rows = [
        dict(zip(names, (answer * 64, subject, VERSION, "support-9"), strict=True))
        for answer, subject in (("4", own), ("5", other))
    ]
    table = pa.table({name: pa.array([row[name] for row in rows]) for name in names})
    table = table.append_column("event_time", pa.array([0, 0], type=schemas.TIME))
    attempt = artifacts.begin(
        uri(settings, f"interactions/ds={DAYS[0]}"), stage="store-interactions", version=1, config=StageConfig()
    )
    attempt.write_table(table, schema).commit()

    assert find_impact(ADA, settings)["interactions"] == {attempt.target: ["4" * 64]}
    assert find_impact(B1, settings)["answers"][VERSION] == sorted(digit * 64 for digit in "1245")
    assert trace_answer("4" * 64, settings)["answer"]["found_in"] == attempt.target


def test_a_release_whose_training_set_is_gone_is_unknown(settings: Settings) -> None:
    for folder in ("adapters", "features"):
        Path(uri(settings, f"{folder}/as_of={DAYS[-1]}/_manifest.json")).unlink()

    assert find_impact(B1, settings)["unknown_releases"] == [VERSION]


@pytest.mark.parametrize("name", ["b1b1", "nobody@example.com", "", "B1" * 16])
def test_what_is_neither_row_nor_subject_is_an_error(settings: Settings, name: str) -> None:
    with pytest.raises(ConfigurationError, match="neither"):
        find_impact(name, settings)


def test_commands_print_a_table_or_json(settings: Settings) -> None:
    def llmops(*words: str) -> str:
        environment = os.environ | {"LLMOPS_HOME": str(settings.home)}
        done = subprocess.run([LLMOPS, *words], env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    table, found = llmops("trace", "1" * 64), json.loads(llmops("trace", "1" * 64, "--json"))
    assert "1/faq.html" in table
    assert f"{VERSION}, verified" in table
    assert len(found["rows"]) == 3
    table, found = llmops("impact", ADA), json.loads(llmops("impact", ADA, "--json"))
    assert f"release {VERSION}: 2 answers" in table
    assert found["releases"] == [VERSION]
    assert ADA not in table


def test_thousands_of_rows_take_seconds(tmp_path: Path) -> None:
    settings = make_lake(tmp_path)
    ids = [f"{number:032x}" for number in range(20_000)]
    before = None
    for stage, folder in (("collect", "raw"), ("redact", "redacted"), ("clean", "clean"), ("annotate", "examples")):
        rows = [
            {"row_id": row_id, "parents": [row_id] if before else [], "source": "x", "uri": "x", "position": 0}
            | {"subject_id": None, "part": None}
            for row_id in ids
        ]
        before = commit(f"{settings.lake}/{folder}/ds=2026-04-01", stage, [before] if before else [], rows)
    started = process_time()

    found = find_impact(ids[777][:32], settings)

    assert found["rows"][before.uri] == [ids[777]]
    assert process_time() - started < 5  # 0.3 on a quiet machine
