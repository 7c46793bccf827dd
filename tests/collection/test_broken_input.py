"""One broken file or record is set aside with its reason, and the rest of the day goes on."""

import gzip
import os
import sqlite3
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from llmops import artifacts
from llmops.collection.config import (
    CollectConfig,
    CsvSource,
    HtmlSource,
    JsonSource,
    PdfSource,
    Source,
    SqlSource,
    TextSource,
    XmlSource,
)
from llmops.collection.stage import collect_sources
from llmops.errors import SourceError
from llmops.settings import Settings

DAY = date(2026, 11, 2)
GOOD = TextSource(kind="text", name="good", path="good.txt", text="{body}")
JSON = JsonSource(kind="json", name="s", path="s.*", question="{q}", event_time="{at}")
CSV = CsvSource(kind="csv", name="s", path="s.*", question="{q}", answer="{a}")
XML = XmlSource(kind="xml", name="s", path="s.*", record="q", text="{text}")
SQL = SqlSource(kind="sql", name="s", path="s.*", query="SELECT q FROM t", question="{q}")
HTML = HtmlSource(kind="html", name="s", path="s.*", question="{heading}", answer="{body}")


def collect(root: Path, source: Source) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the source and rows set aside, from a collection that has one more, unharmed source."""
    (root / "good.txt").write_text("Unharmed.")
    config = CollectConfig(sources=(source, GOOD))
    manifest = collect_sources(str(root), f"{root}/raw", config=config, day=DAY, settings=Settings(home=root))
    rows = artifacts.read_table(manifest).to_pylist()
    assert [row["text"] for row in rows if row["source"] == "good"] == ["Unharmed."]
    aside = artifacts.read_table(manifest, quarantine=True).to_pylist()
    return [row for row in rows if row["source"] != "good"], aside


def nested_json(depth: int) -> str:
    return '{"q": ' + '{"a":' * depth + "1" + "}" * depth + ', "at": null}'


@pytest.mark.parametrize(
    ("source", "data"),
    [
        (XML, b'<?xml version="1.0" encoding="utf-7"?><c><q>one</q></c>'),
        (XML, b'<?xml version="1.0" encoding="shift_jis"?><c><q>one</q></c>'),
        (XML, b'<?xml version="1.0" encoding="klingon"?><c><q>one</q></c>'),
        (CSV, b'q,"a\n1,2\n3,4\n'),
        (CSV.model_copy(update={"encoding": "utf-16"}), "q,a\n1,2\n".encode("utf-16") + b"\x31"),
        (SQL, b""),
        (SQL, b"not a database, but long enough to be read as one" * 40),
        (HTML, b'<meta charset="\x01x"><body><h2>one</h2>\xff'),
        (GOOD.model_copy(update={"name": "s", "path": "s.*"}), gzip.compress(b"x" * 1000)[:10] + b"\xff" * 20),
        (GOOD.model_copy(update={"name": "s", "path": "s.*"}), gzip.compress(b"x" * 1000)[:-9]),
        (PdfSource(kind="pdf", name="s", path="s.*"), b"%PDF-1.7\nxref\n0 1\n0 \ntrailer\xa2\nstartxref\n9\n%%EOF"),
    ],
)
def test_unreadable_file_is_set_aside(source: Source, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "s.data").write_bytes(data)

    rows, aside = collect(tmp_path, source)

    assert (rows, [row["rule"] for row in aside]) == ([], ["unreadable_file"])


def test_file_that_is_not_there_just_now_ends_the_run_and_leaves_the_day_open(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").symlink_to(tmp_path / "unmounted.jsonl")

    with pytest.raises(SourceError, match=r"s\.jsonl: cannot be read .*collect again"):
        collect(tmp_path, JSON)
    assert not (tmp_path / "raw").exists()


def test_json_of_any_depth_is_a_record_or_set_aside(tmp_path: Path) -> None:
    depths = [*range(700, 2000, 20), 100_000]
    lines = [
        '{"q": "one?", "at": null}',
        *(nested_json(depth).replace('"q": {', '"q": "", "x": {') for depth in depths),
    ]
    (tmp_path / "s.jsonl").write_text("\n".join(lines))

    rows, aside = collect(tmp_path, JSON)

    assert rows[0]["question"] == "one?"
    assert len(rows) + len(aside) == len(lines)
    assert aside[-1]["rule"] == "malformed_record"
    assert aside[-1]["record"] == lines[-1]


def test_json_array_with_a_bottomless_list_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("[" * 100_000 + "]" * 100_000)

    rows, aside = collect(tmp_path, JSON)

    assert (rows, [row["rule"] for row in aside]) == ([], ["malformed_record"])


def test_bottomless_xml_record_is_set_aside_alone(tmp_path: Path) -> None:
    depth = 3 * sys.getrecursionlimit()  # libraries raise it
    (tmp_path / "s.xml").write_text("<c><q>" + "<b>" * depth + "</b>" * depth + "</q><q>two</q></c>")

    rows, aside = collect(tmp_path, XML)

    assert [row["text"] for row in rows] == ["two"]
    assert [(row["rule"], row["row_id"] != "") for row in aside] == [("malformed_record", True)]


@pytest.mark.parametrize("swallowed", ["5,6\n" * 2, "5,6\n" * 100_000], ids=["few rows", "beyond the field limit"])
def test_unclosed_quote_sets_aside_what_it_swallows(swallowed: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text('q,a\n1,2\n3,"four\n' + swallowed)

    rows, aside = collect(tmp_path, CSV)

    assert [(row["question"], row["answer"]) for row in rows] == [("1", "2")]
    assert [(row["rule"], row["record"]) for row in aside] == [("malformed_record", f'3,"four\n{swallowed}')]


def test_text_after_a_closing_quote_breaks_its_row_alone(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text('q,a\n1,"two"x\n3,"a ""tent"""\n')

    rows, aside = collect(tmp_path, CSV)

    assert [(row["question"], row["answer"]) for row in rows] == [("3", 'a "tent"')]
    assert [(row["rule"], row["record"]) for row in aside] == [("malformed_record", '1,"two"x\n')]


def test_csv_value_may_be_longer_than_the_readers_own_limit(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(f'q,a\n1,"{"long " * 40_000}"\n')

    rows, aside = collect(tmp_path, CSV)

    assert ([len(row["answer"]) for row in rows], aside) == ([200_000], [])


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_event_time_outside_the_calendar_is_set_aside(moment: str, tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text(f'{{"q": "one?", "at": "{moment}"}}\n{{"q": "two?", "at": "0001-01-01"}}')

    rows, aside = collect(tmp_path, JSON)

    assert [row["question"] for row in rows] == ["two?"]
    assert [row["rule"] for row in aside] == ["bad_event_time"]
    assert moment in aside[0]["reason"]


def test_lone_surrogates_are_replaced_in_what_is_set_aside(tmp_path: Path) -> None:
    lines = [r'{"q": "\ud800", "at": "never"}', r'{"\udfff": 1}', r'["\udc00"]', '{"q": "one?", "at": null}']
    (tmp_path / "s.jsonl").write_text("\n".join(lines))

    rows, aside = collect(tmp_path, JSON)

    assert [row["question"] for row in rows] == ["one?"]
    assert sorted(row["rule"] for row in aside) == ["bad_event_time", "malformed_record", "missing_field"]
    assert '"q": "\ufffd"' in next(row["record"] for row in aside if row["rule"] == "bad_event_time")


def test_file_name_outside_utf8_does_not_end_the_run(tmp_path: Path) -> None:
    for name, text in ((b"s.\xff", '{"q": "one?", "at": null}'), (b"s.\xfe", "nope")):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text(text)

    rows, aside = collect(tmp_path, JSON)

    assert [(row["question"], row["uri"]) for row in rows] == [("one?", "s.\ufffd")]
    assert [row["uri"] for row in aside] == ["s.\ufffd"]


def test_database_text_outside_utf8_breaks_its_row_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "s.sqlite") as database:
        database.execute("CREATE TABLE t (q TEXT)")
        database.execute("INSERT INTO t VALUES ('one'), (CAST(x'74ff' AS TEXT)), ('three')")

    rows, aside = collect(tmp_path, SQL)

    assert [row["question"] for row in rows] == ["one", "three"]
    assert [(row["rule"], row["record"]) for row in aside] == [("malformed_record", '{"q": "t\ufffd"}')]


@pytest.mark.parametrize(
    "damage", [(b"CREATE TABLE", b"CREATE \xffABLE"), (b"(q TEXT)", b"(q TEXT("), (b"(q", b"(\xff")]
)
def test_database_with_a_damaged_schema_is_set_aside(damage: tuple[bytes, bytes], tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "s.sqlite") as database:
        database.execute("CREATE TABLE t (q TEXT)")
    (tmp_path / "s.sqlite").write_bytes((tmp_path / "s.sqlite").read_bytes().replace(*damage))

    rows, aside = collect(tmp_path, SQL.model_copy(update={"query": "SELECT * FROM t"}))

    assert (rows, [row["rule"] for row in aside]) == ([], ["unreadable_file"])


def test_database_of_a_later_format_is_set_aside(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "s.sqlite") as database:
        database.execute("CREATE TABLE t (q TEXT)")
    data = (tmp_path / "s.sqlite").read_bytes()
    (tmp_path / "s.sqlite").write_bytes(
        data[:44] + (5).to_bytes(4) + data[48:]
    )  # schema format, fileformat2.html 1.3.9

    rows, aside = collect(tmp_path, SQL)

    assert (rows, [row["rule"] for row in aside]) == ([], ["unreadable_file"])
