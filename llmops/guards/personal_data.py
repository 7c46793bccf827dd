"""Personal data and secrets in text: found, and replaced by the type's name.

Pure functions on text, used by the pipeline and by the service alike. Families with a form or a checksum stand in
`guards.patterns`, one module each; names and addresses are found by a small tagger (`guards.tagger`). Not covered:
numbers written as words, data within images, and facts that tell who somebody is without naming them.
"""

from collections.abc import Collection, Iterator

from llmops.guards import tagger, views
from llmops.guards.patterns import contacts, context, identifiers, numbers, phones, secrets
from llmops.guards.spans import TYPES, Span, merge

__all__ = ["PATTERNED", "PHONE_REGIONS", "TAGGED", "TYPES", "Span", "find", "redact"]

TAGGED = ("ADDRESS", "PERSON")
"""Types that are found by the tagger, from how words look and what stands around them."""
PATTERNED = tuple(kind for kind in TYPES if kind not in TAGGED)
"""Types with a form, a checksum or a word before them that says what they are."""
PHONE_REGIONS = phones.REGIONS
"""Regions (ISO 3166 alpha-2) whose national phone numbers are known unless told otherwise."""


def find(text: str, types: Collection[str] = TYPES, phone_regions: Collection[str] = phones.REGIONS) -> list[Span]:
    """Spans of personal data in `text`, in order and without overlaps.

    Looks at the text as it stands and at its normalised view (`llmops.guards.views`), with offsets mapped back. Where
    two findings overlap, the type with the stronger evidence wins (`spans.merge`).
    """
    found = list(_scan(text, types, phone_regions))
    view = views.normalised(text)
    if view.text != text:
        mapped = _scan(view.text, types, phone_regions)
        found += [Span(*view.original_span(span.start, span.end), span.type, span.score) for span in mapped]
    if any(kind in types for kind in TAGGED):
        tagged = (span for span in tagger.find(view.text) if span.type in types)
        found += [Span(*view.original_span(span.start, span.end), span.type, span.score) for span in tagged]
    return merge(found, text) if found else []


def redact(text: str, spans: list[Span]) -> str:
    """The text with each span (as `find` gives them) replaced by `<TYPE>`.

    Stable: what stands in a text's place depends on the types found alone, not on the values, the order of texts or the
    run; and `find` finds nothing in a placeholder.
    """
    pieces, position = [], 0
    for span in spans:
        pieces += [text[position : span.start], f"<{span.type}>"]
        position = span.end
    return "".join([*pieces, text[position:]])


def _scan(text: str, types: Collection[str], phone_regions: Collection[str]) -> Iterator[Span]:
    """Findings of the patterned types among `types`.

    Most texts hold neither many digits together nor a long word: those are passed over by nearly all families.
    """
    digits, has_long_word = numbers.most_digits(text), secrets.has_long_word(text)
    if "EMAIL" in types and "@" in text:
        yield from contacts.emails(text)
    if has_long_word and "SECRET" in types:
        yield from secrets.find(text)
    if has_long_word and "CRYPTO" in types:
        yield from identifiers.wallets(text)
    if ("MAC" in types or "IP" in types) and (digits > 2 or ":" in text):
        yield from (span for span in contacts.hosts(text) if span.type in types)
    yield from context.find(text, digits, types)
    if digits < numbers.FEWEST_DIGITS:
        return
    if "CARD" in types and digits >= numbers.CARD_DIGITS[0]:
        yield from numbers.cards(text)
    if "IBAN" in types:
        yield from numbers.ibans(text)
    yield from identifiers.find(text, digits, types)
    if "PHONE" in types and digits >= phones.FEWEST_DIGITS:
        yield from phones.find(text, phone_regions)
