"""Cutting running text into sections at its headings, for documents without markup."""

import re
from collections.abc import Iterator

from llmops.collection.records import Record, UnreadableError

_SECTION_NUMBER = re.compile(r"^\s*(?:(?:chapter|section)\s+)?\d+(?:\.\d+)*\.?\s+", re.IGNORECASE)
_LEADERS = re.compile(r"(?:\s*\.){3,}\s*\d*\s*$", re.MULTILINE)


def section_fields(heading: str, body: str) -> dict[str, str | None]:
    """Fields of a section: `heading` as it stands, `title` without its number, `body`."""
    return {"heading": heading, "title": _SECTION_NUMBER.sub("", heading), "body": body or None}


def split_sections(text: str, heading: str) -> Iterator[Record]:
    """Sections that open with a line matching `heading`; a heading runs on until a blank line or its end mark.

    Entries of a table of contents (dot leaders, then a page number) come out as sections without a body. Text before
    the first heading is a section with an empty heading. Raises UnreadableError for text without any letter.
    """
    if not any(character.isalpha() for character in text):
        raise UnreadableError("no text in it")
    opens = re.compile(heading)
    title: list[str] = []
    body: list[str] = []
    in_heading, position = False, 0
    for line in [*text.splitlines(), None]:
        if line is None or opens.match(line):
            if title or any(part.strip() for part in body):
                yield Record(position, section_fields(_one_line(title), _LEADERS.sub("", "\n".join(body)).strip()))
                position += 1
            title, body, in_heading = [line or ""], [], not _is_complete(line or "")
        elif in_heading and line.strip():
            title.append(line)
            in_heading = not _is_complete(line)
        else:
            in_heading = False
            body.append(line)


def _is_complete(line: str) -> bool:
    """Whether a heading's line ends it: a question mark or full stop, or a table of contents' page number."""
    return line.rstrip().endswith(("?", ".", "!")) or _LEADERS.search(line) is not None


def _one_line(lines: list[str]) -> str:
    return " ".join(" ".join(_LEADERS.sub("", line).split()) for line in lines).strip()
