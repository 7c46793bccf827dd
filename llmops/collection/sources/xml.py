"""XML: every element of one name makes a record."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from llmops.collection.config import XmlSource
from llmops.collection.records import Broken, Record, UnreadableError


def fetch(data: bytes, source: XmlSource) -> Iterator[Record | Broken]:
    """Records of one element name: attributes as `@name`, descendants as `name` or `outer/inner`, own text as `text`.

    A file that is not well-formed, or that declares entities, is refused as a whole: half a catalogue is no catalogue.
    """
    try:
        root = fromstring(data)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:  # the last two: encodings
        raise UnreadableError(f"not acceptable XML: {error}") from error
    for position, element in enumerate(root.iter(source.record)):
        try:
            record: Record | Broken = Record(position, dict(_fields(element)))
        except RecursionError:
            record = Broken("malformed_record", "nested too deeply", position)
        yield record


def _fields(element: Element, prefix: str = "") -> Iterator[tuple[str, str | None]]:
    for name, value in element.attrib.items():
        yield f"{prefix}@{name}", value or None
    if not prefix:
        yield "text", (element.text or "").strip() or None
    for child in element:
        path = f"{prefix}{child.tag}"
        yield path, "".join(child.itertext()).strip() or None
        yield from _fields(child, f"{path}/")
