"""PDF documents: their text, cut at its headings."""

import io
import re
import struct
from collections.abc import Iterator

from pdfminer.high_level import extract_text
from pdfminer.psexceptions import PSException

from llmops.collection.config import PdfSource
from llmops.collection.records import Broken, Record, UnreadableError
from llmops.collection.sections import split_sections

# What pdfminer raises on damaged files: errors of its own, and Python's where it trusts the structure of a file.
_DAMAGE = (
    PSException,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,  # recursion without end, StopIteration within a generator
    TypeError,
    ValueError,
    struct.error,
)
_PAGE_NUMBER = re.compile(r"^\s*\d{1,4}\s*$\n?", re.MULTILINE)
_RUNNING_HEAD = re.compile(r"\f(?:\s*[^a-z\n]*[A-Z][^a-z\n]*\n){0,2}")
_HYPHENATED = re.compile(r"(\w)[-\u2010]\n{1,2}(?=[a-zà-ÿ])")
_WRAPPED_QUESTION = re.compile(r"^(\d+(?:\.\d+)+\.?\s[^\n]*[^\s.?!])\n{1,2}([^\n]{1,80}\?)$", re.MULTILINE)


def fetch(data: bytes, source: PdfSource) -> Iterator[Record | Broken]:
    """Sections of the text, without page numbers and running heads in capitals.

    Words hyphenated at line ends are rejoined, and so are numbered headings that a line break cut before their question
    mark: a text box's lines come out with blank lines between them.

    A scan without a text layer is refused: reading pictures is not covered.
    """
    if not data.lstrip().startswith(b"%PDF-"):
        raise UnreadableError("not a PDF")
    try:
        text = extract_text(io.BytesIO(data))
    except _DAMAGE as error:
        raise UnreadableError(f"damaged PDF: {error}") from error
    text = _PAGE_NUMBER.sub("", _RUNNING_HEAD.sub("\n", text))
    text = _WRAPPED_QUESTION.sub(r"\1 \2", _HYPHENATED.sub(r"\1", text))
    yield from split_sections(text, source.heading)
