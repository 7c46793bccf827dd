"""Plain text documents, cut at their headings."""

from collections.abc import Iterator

from llmops.collection.config import TextSource
from llmops.collection.records import Broken, Record, UnreadableError
from llmops.collection.sections import split_sections


def fetch(data: bytes, source: TextSource) -> Iterator[Record | Broken]:
    """Sections of the text; leading and trailing white space of lines is dropped."""
    try:
        text = data.decode(source.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"not {source.encoding} (byte {error.start})") from error
    yield from split_sections("\n".join(line.strip() for line in text.splitlines()), source.heading)
