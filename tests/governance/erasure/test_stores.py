"""Single stores, while others write to them, and names that are easily taken for others."""

from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from llmops import artifacts, schemas, signing
from llmops.config import StageConfig
from llmops.errors import MissingArtifactError
from llmops.governance.erasure import commands
from llmops.governance.erasure.person import Person, identify
from llmops.governance.erasure.places import Places
from llmops.governance.erasure.stores import lake, leftovers, logs, spool
from llmops.guards import pseudonyms
from llmops.manifest import Manifest
from llmops.monitoring.interactions.redaction import PersonalDataRedactor
from llmops.monitoring.interactions.writer import InteractionWriter
from llmops.settings import Settings
from tests.monitoring.interactions.samples import exchange, lines_in

KEY = bytes(range(32))
SUBJECTS = pa.schema(
    [pa.field("row_id", pa.string()), pa.field("parents", schemas.STRINGS), pa.field("subject_id", pa.string())]
)
ROWS = pa.schema([pa.field("row_id", pa.string()), pa.field("parents", schemas.STRINGS)])


@pytest.fixture
def places(tmp_path: Path) -> Places:
    settings = Settings(home=tmp_path)
    signing.create_keys(settings=settings)
    sign = partial(signing.sign_manifest, signing_key=settings.signing_key)
    return Places(settings=settings, spool=tmp_path / "spool", logs=(f"{tmp_path}/*.log",), sequence=1, sign=sign)


def commit(places: Places, name: str, rows: list[dict[str, object]], *inputs: Manifest) -> Manifest:
    """A table named after its stage; rows without a subject column when they have none."""
    schema = SUBJECTS if "subject_id" in rows[0] else ROWS
    attempt = artifacts.begin(
        f"{places.settings.lake}/{name}", stage=name, version=1, config=StageConfig(), inputs=inputs
    )
    return attempt.write_table(pa.Table.from_pylist(rows, schema=schema), schema).commit()


def row(row_id: str, *parents: str, **others: object) -> dict[str, object]:
    return {"row_id": row_id, "parents": list(parents) or [row_id], **others}


def person(subject: str = "C-1016", *values: str) -> Person:
    return identify(subject, values, KEY)


def ids(places: Places, name: str) -> list[str]:
    found: list[str] = artifacts.read_table(artifacts.read(f"{places.settings.lake}/{name}", name))[
        "row_id"
    ].to_pylist()
    return found


def test_derived_rows_go_by_their_parents_wherever_their_own_ids_come_from(places: Places) -> None:
    raw = commit(places, "collect", [row("a", subject_id="C-1016"), row("b", subject_id="C-2")])
    chunks = commit(places, "chunk", [row("a1", "a"), row("b1", "b"), row("ab", "a", "b")], raw)
    commit(places, "embed", [row("v1", "a1"), row("v2", "b1"), row("v3", "ab")], chunks)
    somebody = person()

    lake.find(somebody, places)
    lake.erase(somebody, places)

    assert {name: ids(places, name) for name in ("collect", "chunk", "embed")} == {
        "collect": ["b"],
        "chunk": ["b1"],
        "embed": ["v2"],
    }


def test_rows_are_found_also_where_the_raw_day_was_collected_again_after_them(places: Places) -> None:
    rows = [row("a", subject_id="C-1016"), row("b", subject_id="C-2")]
    chunks = commit(places, "chunk", [row("a1", "a"), row("b1", "b")], commit(places, "collect", rows))
    commit(places, "embed", [row("v1", "a1"), row("v2", "b1")], chunks)
    with artifacts.recomputing():
        commit(places, "collect", rows)
    somebody = person()

    lake.find(somebody, places)
    lake.erase(somebody, places)

    assert (ids(places, "chunk"), ids(places, "embed")) == (["b1"], ["v2"])


def test_a_table_that_none_of_the_rows_reached_is_marked_and_keeps_its_files(places: Places) -> None:
    raw = commit(places, "collect", [row("a", subject_id="C-1016"), row("b", subject_id="C-2")])
    before = commit(places, "filter", [row("b")], raw)
    apart = commit(places, "other", [row("c", subject_id="C-3")])
    somebody = person()

    lake.find(somebody, places)
    lake.erase(somebody, places)

    marked = artifacts.read(before.uri, "filter")
    assert [(item.sequence, item.rows) for item in marked.erasures] == [(1, 0)]
    assert (marked.files, marked.losses) == (before.files, ())
    signing.verify_manifest(marked, places.settings.trusted_key)
    assert artifacts.read(apart.uri, "other") == apart


def test_of_anothers_duplicate_only_the_name_of_the_erased_keeper_goes(places: Places) -> None:
    raw = commit(places, "collect", [row("a", subject_id="C-1016"), row("b", subject_id="C-2")])
    attempt = artifacts.begin(
        f"{places.settings.lake}/clean", stage="clean", version=1, config=StageConfig(), inputs=[raw]
    )
    aside = {"row_id": "b", "rule": "exact_duplicate", "reason": "alike", "uri": "x", "merged_into": "a"}
    attempt.write_table(pa.Table.from_pylist([row("a")], schema=ROWS), ROWS).set_aside([aside]).commit()
    somebody = person()

    lake.find(somebody, places)
    lake.erase(somebody, places)

    (kept,) = artifacts.read_table(artifacts.read(attempt.target, "clean"), quarantine=True).to_pylist()
    assert (kept["row_id"], kept["merged_into"], kept["rule"]) == ("b", None, "exact_duplicate")


def test_a_running_service_goes_on_writing_after_its_spool_was_cleared(places: Places) -> None:
    code = pseudonyms.pseudonym("C-1016", "SUBJECT", KEY)
    writer = InteractionWriter(places.spool, redactors=[PersonalDataRedactor()])
    for number, subject in enumerate([code, "<SUBJECT:00000000000000bb>", code]):
        writer.record_exchange(exchange(number, subject=subject))
    assert writer.flush()

    spool.erase(person(), places)
    writer.record_exchange(exchange(3))
    assert writer.close()

    kept = sorted(line["record"]["answer_id"] for line in lines_in(places.spool))
    assert [int(answer, 16) for answer in kept] == [1, 3]
    assert {path.stat().st_mode & 0o777 for path in places.spool.rglob("*.jsonl")} == {0o600}


def test_a_program_goes_on_appending_to_its_log(places: Places, tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    with path.open("ab", buffering=0) as stream:
        stream.write(b"asked by C-1016 and C-10160\n")
        logs.erase(person(), places)
        stream.write(b"next\n")

    assert path.read_bytes() == b"asked by xxxxxx and C-10160\nnext\n"


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ("order of C-1016.", True),
        ("c-1016", True),
        ("C-10161", False),
        ("XC-1016", False),
        ("Åse Ødegård", True),
        ("call 4740012345 now", True),
    ],
)
def test_a_name_is_found_as_a_whole_in_text_and_in_bytes(text: str, is_named: bool) -> None:
    somebody = person("C-1016", "Åse Ødegård", "4740012345")

    assert somebody.is_mentioned(text) is is_named
    assert somebody.is_in(text.encode()) is is_named


def test_escaped_letters_of_json_are_the_same_name() -> None:
    assert person("Åse Ødegård").is_in(b'{"name": "\\u00c5se \\u00d8deg\\u00e5rd"}')


def test_a_short_number_counts_where_a_subject_stands_and_nowhere_else(places: Places) -> None:
    commit(places, "collect", [row("a", subject_id="1016"), row("1016", subject_id="C-2")])
    somebody = person("1016")

    lake.find(somebody, places)
    lake.erase(somebody, places)

    assert ids(places, "collect") == ["1016"]
    assert somebody.unsearchable == ["1016"]


def test_a_torn_table_of_a_dead_attempt_is_deleted_since_it_cannot_be_searched(places: Places) -> None:
    commit(places, "collect", [row("b", subject_id="C-2")])
    torn = Path(places.settings.lake, "collect/attempt-x/part-0.parquet")
    torn.parent.mkdir()
    torn.write_bytes(b"PAR1 half a table")

    leftovers.erase(person(), places)

    assert not torn.exists()
    assert ids(places, "collect") == ["b"]


def test_an_unknown_certificate_names_the_folder(places: Places) -> None:
    with pytest.raises(MissingArtifactError, match="LAKE/erasures"):
        commands.verify("nowhere.json", settings=places.settings)
