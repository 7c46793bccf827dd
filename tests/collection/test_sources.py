"""Each kind of source, on small inputs with known records."""

import gzip
import sqlite3
from datetime import date
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from llmops.collection.config import (
    ChatSource,
    CsvSource,
    HtmlSource,
    JsonSource,
    PdfSource,
    SqlSource,
    TextSource,
    XmlSource,
)
from llmops.collection.files import locate
from llmops.collection.records import Broken, Record, UnreadableError
from llmops.collection.sources import chat, csv, html, json, pdf, sql, text, xml
from llmops.errors import ConfigurationError

DAY = date(2026, 11, 2)


def fields(records: object) -> list[dict[str, str | None]]:
    """Fields of the records that could be read."""
    return [item.fields for item in records if isinstance(item, Record)]  # type: ignore[attr-defined]


def test_csv_keeps_zeros_quoted_commas_and_newlines() -> None:
    data = b'\xef\xbb\xbfid,note\r\n00123,"ring twice,\nthen wait"\r\n7,\r\n'

    found = fields(csv.fetch(data, CsvSource(kind="csv", name="s", path="p")))

    assert found == [{"id": "00123", "note": "ring twice,\nthen wait"}, {"id": "7", "note": None}]


def test_csv_row_of_another_width_or_encoding_is_broken_alone() -> None:
    data = b"a,b\n1,2\n3\n4,\xff\n5,6\n"

    found = list(csv.fetch(data, CsvSource(kind="csv", name="s", path="p")))

    assert [item.position for item in found if isinstance(item, Broken)] == [1, 2]
    assert fields(found) == [{"a": "1", "b": "2"}, {"a": "5", "b": "6"}]


def test_json_lines_flatten_and_keep_numbers_as_written() -> None:
    good = b'{"id": 1.50, "meta": {"locale": "nb"}, "tags": ["a", 1], "none": null, "big": 12345678901234567890}'
    data = good + b"\n[1]\nnope\n"

    found = list(json.fetch(data, JsonSource(kind="json", name="s", path="p")))

    assert fields(found) == [
        {"id": "1.50", "meta.locale": "nb", "tags": '["a", "1"]', "none": None, "big": "12345678901234567890"}
    ]
    assert [item.reason.split(":")[0] for item in found if isinstance(item, Broken)] == [
        "a JSON list, not an object",
        "not JSON",
    ]


def test_json_array_and_single_object() -> None:
    source = JsonSource(kind="json", name="s", path="p")

    assert fields(json.fetch(b'[{"a": "1"},\n {"a": "2"}]', source)) == [{"a": "1"}, {"a": "2"}]
    assert fields(json.fetch(b'{"a":\n "1"}', source)) == [{"a": "1"}]


def test_xml_gives_attributes_children_and_nested_text() -> None:
    data = b'<c><p sku="1"><name>T &amp; X</name><price currency="EUR">9<b>.50</b></price><empty/></p></c>'

    (found,) = fields(xml.fetch(data, XmlSource(kind="xml", name="s", path="p", record="p")))

    assert found["@sku"] == "1"
    assert found["name"] == "T & X"
    assert found["price"] == "9.50"
    assert found["price/@currency"] == "EUR"
    assert found["empty"] is None


def test_xml_with_entities_or_cut_short_is_refused_whole() -> None:
    source = XmlSource(kind="xml", name="s", path="p", record="p")
    bomb = b'<!DOCTYPE c [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><c><p>&b;</p></c>'

    for data in (bomb, b"<c><p>one</p><p>tw"):
        with pytest.raises(UnreadableError):
            list(xml.fetch(data, source))


def test_html_sections_follow_headings_without_page_furniture() -> None:
    data = """<html><head><title>Help</title><style>p{}</style></head><body><nav><h2>Menu</h2></nav><main>
    <h2>Do you <em>ship</em> to Oslo?</h2><!-- secret --><p>Yes,&nbsp;in
    two days.</p><ul><li>Post</li><li>Courier</li></ul><h2>Second?</h2><script>x()</script><p>No.</p></main>
    </body></html>"""

    found = fields(html.fetch(data.encode(), HtmlSource(kind="html", name="s", path="p")))

    assert [(item["heading"], item["body"]) for item in found] == [
        ("Do you ship to Oslo?", "Yes, in two days.\nPost\nCourier"),
        ("Second?", "No."),
    ]
    assert found[0]["page_title"] == "Help"


def test_binary_data_is_no_html_page() -> None:
    with pytest.raises(UnreadableError):
        list(html.fetch(b"\x00<\x01\x02", HtmlSource(kind="html", name="s", path="p")))


def test_pdf_sections_follow_numbered_headings(tmp_path: Path) -> None:
    page = Canvas(str(tmp_path / "a.pdf"))
    for line, place in (("1.1 Sending a parcel back", 800), ("Use the label in the box.", 760), ("7", 40)):
        page.drawString(72, place, line)
    page.save()

    found = fields(pdf.fetch((tmp_path / "a.pdf").read_bytes(), PdfSource(kind="pdf", name="s", path="p")))

    assert found == [
        {
            "heading": "1.1 Sending a parcel back",
            "title": "Sending a parcel back",
            "body": "Use the label in the box.",
        }
    ]


def test_pdf_running_heads_go_and_wrapped_questions_are_joined(tmp_path: Path) -> None:
    page = Canvas(str(tmp_path / "a.pdf"))
    page.drawString(72, 800, "Preface.")
    page.showPage()
    lines = (
        "CHAPTER 7. PARCELS",
        "7.1. HOW DO I FIND OUT WHERE MY PAR-",
        "7.1 How do I find out where my par-",
        "cel is?",
    )
    for line, place in zip((*lines, "Ask the courier."), (800, 780, 740, 720, 680), strict=True):
        page.drawString(72, place, line)
    page.save()

    found = fields(pdf.fetch((tmp_path / "a.pdf").read_bytes(), PdfSource(kind="pdf", name="s", path="p")))

    assert [(item["title"], item["body"]) for item in found] == [
        ("", "Preface."),
        ("How do I find out where my parcel is?", "Ask the courier."),
    ]


@pytest.mark.parametrize(
    ("sound", "damaged"),
    [
        (b"/Length", b"/Filter /RunLengthDecode /Length"),
        (b"/Kids [", b"/Kids [ /None "),
    ],
)
def test_pdf_with_damaged_structure_is_refused(sound: bytes, damaged: bytes, tmp_path: Path) -> None:
    page = Canvas(str(tmp_path / "a.pdf"), pageCompression=0)
    page.drawString(72, 800, "1.1 Sending a parcel back")
    page.save()
    data = (tmp_path / "a.pdf").read_bytes()

    assert sound in data
    with pytest.raises(UnreadableError):
        list(pdf.fetch(data.replace(sound, damaged), PdfSource(kind="pdf", name="s", path="p")))


@pytest.mark.parametrize("data", [b"not a pdf", b"%PDF-1.7 and then nothing"])
def test_what_is_no_pdf_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        list(pdf.fetch(data, PdfSource(kind="pdf", name="s", path="p")))


def test_text_headings_may_run_over_two_lines_and_contents_pages_have_no_body() -> None:
    data = """Contents
1.1. What is it? . . . . 4
1.1.\u00a0What is it?

  A thing.

1.2. How do I keep a log of the packages
that I added?

  With a pen.
""".encode()

    found = fields(text.fetch(data, TextSource(kind="text", name="s", path="p")))

    assert [(item["title"], item["body"]) for item in found] == [
        ("", "Contents"),
        ("What is it?", None),
        ("What is it?", "A thing."),
        ("How do I keep a log of the packages that I added?", "With a pen."),
    ]


def test_chat_turns_pair_customers_with_agents() -> None:
    data = b"""[2026-11-02 09:00:00] <kari> Hi!
[2026-11-02 09:00:05] <kari> Where is my tent?
[2026-11-02 09:01:00] <mia_shop> In Oslo.
joined the room
[2026-11-02 09:01:10] <mia_shop> It arrives tomorrow.
[2026-11-02 09:02:00] <kari> thanks
"""

    found = list(chat.fetch(data, ChatSource(kind="chat", name="s", path="p", agents=("*_shop",))))

    assert fields(found) == [
        {
            "question": "Hi!\nWhere is my tent?",
            "answer": "In Oslo.\nIt arrives tomorrow.",
            "customer": "kari",
            "agent": "mia_shop",
            "time": "2026-11-02 09:00:00",
        },
        {"question": "thanks", "answer": None, "customer": "kari", "agent": None, "time": "2026-11-02 09:02:00"},
    ]
    assert [item.position for item in found if isinstance(item, Broken)] == [3]


def test_chat_of_another_layout_needs_a_pattern_only() -> None:
    line = r"^\w+ (?P<date>\S+) \[(?P<time>[^\]]+)\] <(?P<nick>[^>]+)>\s+(?P<text>.*)$"
    data = b"stripe 2019-09-04 [22:44:46] <w1z> use a coupon \n"

    (found,) = fields(chat.fetch(data, ChatSource(kind="chat", name="s", path="p", line=line)))

    assert (found["question"], found["time"]) == ("use a coupon", "2019-09-04 22:44:46")


def test_chat_without_times_keeps_every_turn() -> None:
    line = r"(?P<time>\d+:\d+)? ?(?P<nick>\w+): (?P<text>.*)"
    data = b"kari: Where is my tent?\nmia: In Oslo.\nkari: Thanks."

    found = fields(chat.fetch(data, ChatSource(kind="chat", name="s", path="p", line=line, agents=("mia",))))

    assert [(item["question"], item["answer"]) for item in found] == [
        ("Where is my tent?", "In Oslo."),
        ("Thanks.", None),
    ]


def test_sql_gives_the_rows_of_the_day(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.sqlite") as database:
        database.execute("CREATE TABLE orders (id TEXT, total REAL, updated_at TEXT)")
        rows = [("007", 9.5, "2026-11-02T08:00:00+00:00"), ("8", None, "2026-11-03T00:00:00+00:00")]
        database.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
    query = "SELECT id, total FROM orders WHERE updated_at >= :day_start AND updated_at < :day_end"
    source = SqlSource(kind="sql", name="s", path="p", query=query)
    data = (tmp_path / "shop.sqlite").read_bytes()

    assert fields(sql.fetch(data, source, DAY)) == [{"id": "007", "total": "9.5"}]
    assert fields(sql.fetch(data, source, date(2026, 11, 3))) == [{"id": "8", "total": None}]


@pytest.mark.parametrize(
    "query", ["SELECT a FROM absent", "SELECT :unbound", "SELECT 1; SELECT 2", "DROP TABLE t", "--"]
)
def test_sql_query_that_cannot_give_rows_is_an_error(query: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.sqlite") as database:
        database.execute("CREATE TABLE t (a)")
    source = SqlSource(kind="sql", name="orders", path="p", query=query)

    with pytest.raises(ConfigurationError, match=r"source `orders`: .*correct its query"):
        list(sql.fetch((tmp_path / "shop.sqlite").read_bytes(), source, DAY))


def test_gzip_is_undone_and_names_are_relative(tmp_path: Path) -> None:
    (tmp_path / "2026-11-02").mkdir()
    (tmp_path / "2026-11-02" / "b.txt.gz").write_bytes(gzip.compress(b"packed"))
    (tmp_path / "2026-11-02" / "a.txt").write_bytes(b"plain")

    found = locate(str(tmp_path), "{day}/*.txt*", DAY)

    assert [(file.name, file.read()) for file in found] == [
        ("2026-11-02/a.txt", b"plain"),
        ("2026-11-02/b.txt.gz", b"packed"),
    ]
