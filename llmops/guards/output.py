"""What leaves the model is text for people: nothing in it acts, nothing in it is hidden, nobody's data is in it.

`clean` takes a whole answer, `OutputFilter` one that arrives in pieces; they are one implementation and agree for every
way of cutting. In this order: escape sequences and invisible characters go (`guards.markup`), then tags and control
tokens, then section markers; personal data becomes `‹TYPE›` (`guards.personal_data`); then links are broken unless
their host is allowed (`guards.links`). So the result holds no tag in HTML's sense, no image, and no link but those to
allowed hosts; it is still to be escaped where it is put into HTML, as any text.

Not covered: what the text says. Personal data of other types (names, passwords, what else only the words around it
tell), numbers written as words, and a datum of more than 320 characters are not found; see `guards.links` for names
that are left.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from llmops.guards import links, markup, personal_data, views
from llmops.guards.streams import Stage, Step

WINDOW_LENGTH = 1024
"""Characters in which personal data is looked for together, at most."""
DATUM_LENGTH = 320
"""Characters of personal data, at most: what an e-mail address may have (RFC 5321, section 4.5.3.1)."""
HELD_AT_MOST = (
    markup.SEQUENCE_LENGTH + markup.TAG_LENGTH + markup.MARKER_LENGTH + 2 * WINDOW_LENGTH + links.TARGET_LENGTH
)
"""Characters that an `OutputFilter` holds back at most. Prose is held back to the end of the current word."""

# Words of ASCII in which no personal data can begin, each with the white space behind it.
_HARMLESS = re.compile(r"(?:[!-'*,\-./:-?A-Z\\\]^_`a-z{|}~)]*+\s)++")
_TYPES = ("IBAN", "CARD", "EMAIL", "PHONE")
"""What is looked for: types that can be told within the stretches of text that `_People` cuts an answer into."""
_ENDS = '\n!?,;"\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f'  # no personal data holds one
_WORD = re.compile(rf"[^\s{_ENDS}]*+")
_SUSPECT = re.compile(r"[\d@+]")
_OPEN_IBAN = re.compile(r"(?<!\w)[a-z]{2}\d{2}(?: ?[a-z0-9]){0,30}+\Z", re.IGNORECASE)
_IBAN_LENGTH = 68  # characters with a space between each two


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPolicy:
    """What may leave as it is."""

    allowed_hosts: frozenset[str] = frozenset()
    """Hosts that links may lead to, each by its full name, in ASCII: `shop.example`, `www.shop.example`."""
    allowed_values: frozenset[str] = frozenset()
    """E-mail addresses, phone numbers and IBANs that may be shown: the shop's own. Spaces and hyphens do not count."""
    phone_regions: tuple[str, ...] = ("DE", "GB", "US")
    """Regions whose phone numbers are known without country code."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """An answer that may be shown."""

    text: str
    findings: Counter[str] = field(default_factory=Counter)
    """How often something was changed: control, markup, marker, image, link, CARD, EMAIL, IBAN, PHONE."""


class OutputFilter:
    """`clean` for an answer that arrives in pieces. One filter serves one answer."""

    def __init__(self, policy: OutputPolicy) -> None:
        self.findings: Counter[str] = Counter()
        """What was found so far; as in `Cleaned`."""
        self._stages = (
            Stage(markup.Unseen(self.findings)),
            Stage(markup.Tags(self.findings), markup.tag_would_open),
            Stage(markup.Markers(self.findings)),
            Stage(_People(policy, self.findings)),
            Stage(links.Links(policy.allowed_hosts, policy.allowed_values, self.findings), links.link_would_form),
            # Again: a link that is broken now, or a neighbour that is replaced, may have hidden some.
            Stage(_People(policy, self.findings)),
        )

    @property
    def held(self) -> int:
        """Characters that are held back; never more than `HELD_AT_MOST`."""
        return sum(len(stage.held) for stage in self._stages)

    def feed(self, piece: str) -> str:
        """What may be shown now that `piece` has come; often nothing, or the end of an earlier piece."""
        for stage in self._stages:
            piece = stage.feed(piece)
        return piece

    def finish(self) -> str:
        """The rest, once the answer has ended."""
        piece = ""
        for stage in self._stages:
            piece = stage.feed(piece, is_end=True)
        return piece


def clean(text: str, *, policy: OutputPolicy) -> Cleaned:
    """The whole answer as it may be shown. Takes time in proportion to its length and never raises."""
    stream = OutputFilter(policy)
    return Cleaned(stream.feed(text) + stream.finish(), stream.findings)


class _People:
    """Replaces personal data, looking at stretches of text between words that no personal data can reach over."""

    def __init__(self, policy: OutputPolicy, findings: Counter[str]) -> None:
        self._regions = policy.phone_regions
        self._allowed = frozenset(_bare(value) for value in policy.allowed_values)
        self._findings = findings
        self._scanned = 0  # characters from the position on that were looked at while waiting

    def __call__(self, text: str, position: int, is_end: bool) -> Step | None:
        """A step of `streams.Rule`."""
        if not self._scanned and (harmless := _HARMLESS.match(text, position)):
            return harmless.group(), harmless.end()
        limit = position + WINDOW_LENGTH
        end = self._stretch_end(text, position, limit, is_end)
        if end is not None:
            self._scanned = 0
            stretch = text[position:end]
            return self._replaced(stretch, self._find(stretch)), end
        if len(text) < limit:
            return None
        self._scanned = 0
        return self._first_part(text[position:limit], position)

    def _stretch_end(self, text: str, position: int, limit: int, is_end: bool) -> int | None:
        """Where the stretch ends that begins at `position`; None if not before `limit` or what has come."""
        cursor = position + self._scanned
        while word := _WORD.match(text, cursor, limit):
            self._scanned = cursor - position
            end = word.end()
            if end == limit or (end == len(text) and not is_end):
                return None
            if cursor > position and not _continues(text[max(position, end - _IBAN_LENGTH) : end], word.group()):
                return cursor
            if end == len(text):
                return end
            cursor = end + 1
            if text[end] in _ENDS or (word.start() == position and not _may_begin(word.group())):
                return cursor
        return None

    def _first_part(self, window: str, position: int) -> Step:
        """The first part of a stretch that is too long; what lies across the cut is whole in the window: found."""
        cut = len(window) - DATUM_LENGTH
        spans = self._find(window)
        for span in spans:
            if span.start < cut < span.end:
                cut = span.start or span.end
        return self._replaced(window[:cut], [span for span in spans if span.end <= cut]), position + cut

    def _replaced(self, text: str, spans: list[personal_data.Span]) -> str:
        pieces, start = [], 0
        for span in spans:
            self._findings[span.type] += 1
            pieces += [text[start : span.start], markup.placeholder(span.type)]
            start = span.end
        return "".join([*pieces, text[start:]])

    def _find(self, text: str) -> list[personal_data.Span]:
        found = personal_data.find(text, _TYPES, self._regions)
        return [span for span in found if _bare(text[span.start : span.end]) not in self._allowed]


def _may_begin(word: str) -> bool:
    """Whether personal data may begin in a word: it holds a digit or an @, or nothing but signs."""
    plain = word if word.isascii() else views.normalised(word).text
    return bool(_SUSPECT.search(plain)) or not any(character.isalpha() for character in plain)


def _continues(stretch: str, word: str) -> bool:
    """Whether `word`, the last one of the stretch, may belong to the same personal data as what stands before it."""
    if _may_begin(word) or word in {"x", "X"}:
        return True
    plain = stretch if stretch.isascii() else views.normalised(stretch).text
    return _OPEN_IBAN.search(plain) is not None


def _bare(value: str) -> str:
    """What counts of a value that is allowed: of an e-mail address all, of a number its letters and digits."""
    plain = views.normalised(value).text.casefold()
    return plain if "@" in plain else "".join(character for character in plain if character.isalnum())
