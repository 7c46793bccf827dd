"""HTML pages: the sections that their headings open."""

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup, Comment, Tag
from bs4.exceptions import ParserRejectedMarkup

from llmops.collection.config import HtmlSource
from llmops.collection.records import Broken, Record, UnreadableError
from llmops.collection.sections import section_fields

_NOT_CONTENT = ["script", "style", "noscript", "template", "nav", "form"]
_BLOCKS = ["p", "li", "dt", "dd", "tr", "div", "pre", "blockquote", "ul", "ol", "dl", "table", "br", "h1", "h2", "h3"]
_HEADING, _BODY = "\x02", "\x03"  # control characters cannot stand in a page: they are dropped first
_XML_DECLARATION = re.compile(rb"^(?:\xef\xbb\xbf)?\s*<\?xml[^>]*\?>")  # XHTML is read as HTML
_CONTROLS = re.compile(r"[\x02\x03]")


def fetch(data: bytes, source: HtmlSource) -> Iterator[Record | Broken]:
    """Sections of the page's content; a page without such headings is one section under its title.

    White space follows the markup: runs fold into one space, block elements break lines.
    """
    if b"\0" in data or b"<" not in data:
        raise UnreadableError("not an HTML page")
    data = _XML_DECLARATION.sub(b"", data)
    try:
        page = BeautifulSoup(_CONTROLS.sub("", data.decode("utf-8")) if _is_utf8(data) else data, "lxml")
    except (ParserRejectedMarkup, ValueError) as error:  # ValueError: lxml, for the name of an encoding
        raise UnreadableError(f"not an HTML page: {error}") from error
    page_title = " ".join(page.title.get_text().split()) if page.title else ""
    content = next((found for name in source.content.split(",") if (found := page.select_one(name.strip()))), None)
    if content is None:
        raise UnreadableError(f"nothing matches {source.content!r} in it")
    for noise in [*content.find_all(_NOT_CONTENT), *content.find_all(string=lambda text: isinstance(text, Comment))]:
        noise.extract()
    for position, (heading, body) in enumerate(_sections(content, source.headings)):
        fields = section_fields(heading or page_title, body)
        yield Record(position, {**fields, "page_title": page_title or None})


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _sections(content: Tag, headings: str) -> Iterator[tuple[str, str]]:
    found = content.select(headings)
    for heading in found:
        heading.insert_before(_HEADING)
        heading.insert_after(_BODY)
    for text in content.find_all(string=True):
        if text.find_parent("pre") is None:
            text.replace_with(re.sub(r"\s+", " ", text))
    for block in content.find_all(_BLOCKS):
        block.insert_after("\n")
    pieces = content.get_text().split(_HEADING)
    if not found:
        yield "", _tidy(pieces[0])
    for piece in pieces[1:]:
        heading_text, _, body = piece.partition(_BODY)
        yield " ".join(heading_text.split()), _tidy(body)


def _tidy(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return re.sub(r"\n{2,}", "\n", "\n".join(lines)).strip()
