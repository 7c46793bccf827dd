"""Which sources are collected, and which of their fields mean what."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, field_validator

from llmops.collection.checks import Address, ChatLine, Encoding, Pattern, Query, Selector, Selectors
from llmops.config import StageConfig


class _SourceConfig(StageConfig):
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    """Name of the source, unique within the recipe."""
    path: Address
    """Glob below the collected root, or an http(s) address; `{day}` stands for the day, as YYYY-MM-DD."""
    question: str = ""
    """Template of the question, with `{field}` for the record's fields; empty for sources without questions."""
    answer: str = ""
    """Template of the answer."""
    text: str = ""
    """Template of knowledge that may become an example's context."""
    keys: tuple[str, ...] = ()
    """Templates of values that join this row to rows of other sources, such as a SKU."""
    subject: str = ""
    """Template of the id of the person the row is about."""
    event_time: str = ""
    """Template of the time when the row became true (ISO 8601; without a zone it is UTC); empty: start of the day."""
    only_day: bool = False
    """Take only records whose event time falls within the day; for files that hold many days."""


class CsvSource(_SourceConfig):
    """Comma-separated rows with a header; fields are the columns, all read as text."""

    kind: Literal["csv"]
    delimiter: str = Field(",", min_length=1, max_length=1)
    """Character between two values."""
    encoding: Encoding = "utf-8"
    """Encoding of the file."""


class SqlSource(_SourceConfig):
    """Rows of a query; fields are the columns. `path` is a SQLite file, read only."""

    kind: Literal["sql"]
    query: Query
    """SELECT with the bound parameters `:day_start` and `:day_end` (ISO 8601, end excluded): the day's watermark."""


class JsonSource(_SourceConfig):
    """JSON objects, one per line or in one array; nested fields are written `outer.inner`."""

    kind: Literal["json"]


class XmlSource(_SourceConfig):
    """Elements of one name; fields: attributes (`@name`), child elements (`name`, `outer/inner`), own `text`."""

    kind: Literal["xml"]
    record: str
    """Name of the element that makes a record, at any depth."""


class HtmlSource(_SourceConfig):
    """Sections of a page: fields `heading`, `body` (up to the next heading), `page_title`."""

    kind: Literal["html"]
    headings: Selector = "h2"
    """CSS selector of the headings that open a section."""
    content: Selectors = "main, article, body"
    """CSS selectors of the part that holds the content; the first that matches is used."""


class PdfSource(_SourceConfig):
    """Sections of a document: fields `heading` and `body`."""

    kind: Literal["pdf"]
    heading: Pattern = r"^\d+(\.\d+)*\.?\s.+$"
    """Regular expression of a heading's first line."""


class TextSource(_SourceConfig):
    """Sections of a plain text file: fields `heading` and `body`."""

    kind: Literal["text"]
    heading: Pattern = r"^\d+(\.\d+)*\.?\s.+$"
    """Regular expression of a heading's first line."""
    encoding: Encoding = "utf-8"
    """Encoding of the file."""


class ChatSource(_SourceConfig):
    """Turns of a chat log; fields: `question` (customer), `answer` (agent), `customer`, `agent`, `time`."""

    kind: Literal["chat"]
    line: ChatLine = r"^\[(?P<time>[^\]]+)\] <(?P<nick>[^>]+)> ?(?P<text>.*)$"
    """Regular expression of a line, with the groups `time`, `nick` and `text` (and `date`, where it stands apart)."""
    agents: tuple[str, ...] = ()
    """Nicknames (glob patterns) of the people who answer; without any, every line stands alone as a question."""


Source = Annotated[
    CsvSource | SqlSource | JsonSource | XmlSource | HtmlSource | PdfSource | TextSource | ChatSource,
    Field(discriminator="kind"),
]


class CollectConfig(StageConfig):
    """Configuration of `llmops collect`."""

    sources: tuple[Source, ...]
    """Everything that is collected, in this order."""

    @field_validator("sources")
    @classmethod
    def _require_unique_names(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        twice = [name for name, times in Counter(source.name for source in sources).items() if times > 1]
        if twice:
            raise ValueError(f"sources named twice; give each source a name of its own ({', '.join(twice)})")
        return sources
