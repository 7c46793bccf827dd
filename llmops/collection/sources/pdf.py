"""PDF documents: their text, cut at its headings."""

import io
import re
from collections.abc import Iterator

from pdfminer.high_level import extract_text
from pdfminer.pdfexceptions import PDFException
from pdfminer.psexceptions import PSException

from llmops.collection.config import PdfSource
from llmops.collection.records import Broken, Record, UnreadableError
from llmops.collection.sections import split_sections

_PAGE_NUMBER = re.compile(r"^\s*\d{1,4}\s*$\n?", re.MULTILINE)
_HYPHENATED = re.compile(r"(\w)[-\u2010]\n(?=[a-zà-ÿ])")


def fetch(data: bytes, source: PdfSource) -> Iterator[Record | Broken]:
    """Sections of the text; lines that hold a page number alone are dropped, words hyphenated at line ends rejoined.

    A scan without a text layer is refused: reading pictures is not covered.
    """
    if not data.lstrip().startswith(b"%PDF-"):
        raise UnreadableError("not a PDF")
    try:
        text = extract_text(io.BytesIO(data))
    except (PDFException, PSException, ValueError, KeyError, TypeError, IndexError) as error:
        raise UnreadableError(f"damaged PDF: {error}") from error
    text = _PAGE_NUMBER.sub("", text.replace("\f", "\n"))
    yield from split_sections(_HYPHENATED.sub(r"\1", text), source.heading)
