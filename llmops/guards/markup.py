"""Takes out of a model's answer what is no text for people: escape sequences, invisible characters, tags, markers.

Each rule is one for `llmops.guards.streams.Stage` and counts what it finds. The rules stand in the order in which they
are applied: what one takes out may leave behind what the next one looks for, never the other way round.
"""

import re
from collections import Counter

from llmops.guards import personal_data
from llmops.guards.streams import Step

SEQUENCE_LENGTH = 1024
"""Characters of an escape sequence, at most; what stands behind them counts as text."""
TAG_LENGTH = 1024
"""Characters of a tag, at most; a longer one is shown, with its bracket set apart."""
MARKER_LENGTH = 40
"""Characters that a marker in square brackets may take."""

# ECMA-48: control sequences, and strings (titles, links) up to their terminator. The 8-bit forms are left to _UNSEEN:
# in wrongly decoded text they are what became of quotation marks, and no sequence starts with them.
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]?|\x1b[\]PX^_][^\x07\x1b\x9c\n]{0,1000}[\x07\x9c]?|\x1b[ -/]{0,8}[0-~]?"
)
_LINE_ENDS = re.compile(r"[\x0b\x0c\x85\u2028\u2029]")
# Unicode 17, categories Cc, Cf and Cs, and what else is Default_Ignorable_Code_Point (DerivedCoreProperties.txt). The
# emoji selector U+FE0F stays: it alone carries no message.
_UNSEEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SEEN = re.compile(f"[^{_UNSEEN}]+")

_BRACKET = re.compile(r"[<>]")
_TAG_OPENERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/!?|\uff5c")
_ELEMENT = re.compile(r"</?([a-z][\w-]*)(\s[^>]*|/)?>", re.IGNORECASE)
_DECLARATION = re.compile(r"<(?:!--|!doctype\b|!\[cdata|\?xml\b)", re.IGNORECASE)
_ADDRESS = re.compile(r"<((?:[a-z][a-z0-9+.-]{1,31}:|[^\s<>@]+@)[^\s<>]*)>", re.IGNORECASE)
_PLACEHOLDER = re.compile(rf"<({'|'.join(personal_data.TYPES)})(?::[0-9a-f]{{16}})?>")
# Chat templates of Llama, Phi, Qwen and DeepSeek write `<|name|>`; Mistral, Gemma and Llama 2 have names of their own.
_CONTROL_TOKEN = re.compile(r"<[|\uff5c][^<>]{0,60}>")
_CONTROL_NAMES = frozenset(
    {
        "bos",
        "cls",
        "end_of_turn",
        "eos",
        "mask",
        "pad",
        "sep",
        "start_of_turn",
        "sys",
        "tool_call",
        "tool_response",
        "unk",
    }
)
_BREAKS = frozenset({"br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "p", "tr"})
# The elements of HTML (https://html.spec.whatwg.org/multipage/indices.html#elements-3), SVG's door, and former ones.
_ELEMENT_NAMES = (
    "a abbr address area article aside audio b base bdi bdo blockquote body button canvas caption center cite code col "
    "colgroup data datalist dd del details dfn dialog dl dt em embed fieldset figcaption figure font footer form frame "
    "frameset head header hgroup hr html i iframe img input ins kbd label legend link main map mark marquee math menu "
    "meta meter nav noscript object ol optgroup option output picture pre progress q rp rt ruby s samp script search "
    "section select slot small source span strike strong style sub summary sup svg table tbody td template textarea "
    "tfoot th thead time title track tt u ul var video wbr"
)
_ELEMENTS = _BREAKS | frozenset(_ELEMENT_NAMES.split())
_BRACKETED = re.compile(r"\[\s{0,4}/?\s{0,4}([a-z_]{0,20})\s{0,4}(\]?)", re.IGNORECASE)
_BRACKETED_NAMES = frozenset(
    ["answer", "available_tools", "context", "inst", "question", "system_prompt", "tool_calls", "tool_results"]
)


def placeholder(kind: str) -> str:
    """What stands in an answer for personal data: `‹EMAIL›`. Angle brackets would make it a tag."""
    return f"\u2039{kind}\u203a"


class Unseen:
    """Drops ANSI escape sequences and characters that nobody sees: controls, zero-width, bidi marks, tag characters.

    Tabs and line ends stay. What joins emoji, and letters of some Indic and Persian words, is lost with the rest.
    """

    def __init__(self, findings: Counter[str]) -> None:
        self._findings = findings

    def __call__(self, text: str, position: int, is_end: bool) -> Step | None:
        """A step of `streams.Rule`."""
        if seen := _SEEN.match(text, position):
            return seen.group(), seen.end()
        if sequence := _SEQUENCE.match(text, position):
            if sequence.end() == len(text) and not is_end and len(sequence.group()) < SEQUENCE_LENGTH:
                return None
            self._findings["control"] += 1
            return "", sequence.end()
        if _LINE_ENDS.match(text, position):
            return "\n", position + 1
        if text[position] != "\r":
            self._findings["control"] += 1
        return "", position + 1


class Tags:
    """Drops tags of HTML and control tokens of chat templates; any other `<` that could open one is set apart.

    `<https://…>` and `<name@host>` lose their brackets, `<EMAIL>` as training data has it becomes `‹EMAIL›`. What
    stands between tags stays, scripts included: it is text now.
    """

    def __init__(self, findings: Counter[str]) -> None:
        self._findings = findings

    def __call__(self, text: str, position: int, is_end: bool) -> Step | None:
        """A step of `streams.Rule`."""
        start = text.find("<", position)
        if start != position:
            end = start if start > 0 else len(text)
            return text[position:end], end
        if start + 1 == len(text) and not is_end:
            return None
        if text[start + 1 : start + 2] not in _TAG_OPENERS:
            return "<", start + 1
        bracket = _BRACKET.search(text, start + 1, start + TAG_LENGTH)
        if bracket is None and not is_end and len(text) < start + TAG_LENGTH:
            return None
        if bracket and bracket.group() == ">" and (shown := self._shown(text[start : bracket.end()])) is not None:
            return shown, bracket.end()
        self._findings["markup"] += 1
        return "<", start + 1

    def _shown(self, tag: str) -> str | None:
        """What is written for a whole `<…>`; None if it is none of the kinds that are known."""
        if known := _PLACEHOLDER.fullmatch(tag):
            return placeholder(known[1])
        if address := _ADDRESS.fullmatch(tag):
            return address[1]
        element = _ELEMENT.fullmatch(tag)
        name = element[1].lower() if element else ""
        if _CONTROL_TOKEN.fullmatch(tag) or name in _CONTROL_NAMES:
            self._findings["marker"] += 1
            return ""
        # `a <b and c> d` is a comparison, `<b class="x">` is not.
        has_form = element is not None and (not (element[2] or "").strip(" /\t\n") or "=" in element[2])
        if (name in _ELEMENTS and has_form) or _DECLARATION.match(tag):
            self._findings["markup"] += 1
            return "\n" if name in _BREAKS and (name == "br" or tag.startswith("</")) else ""
        return None


def tag_would_open(last: str, first: str) -> bool:
    """For `streams.Stage`: what was dropped between them must not leave a new tag."""
    return last == "<" and first in _TAG_OPENERS


class Markers:
    """Replaces the sections of our template and of Mistral's (`[Answer]`, `[/INST]`) and `####` by a space.

    By a space, not by nothing: `##[INST]##` must not become what it is meant to hide.
    """

    def __init__(self, findings: Counter[str]) -> None:
        self._findings = findings
        self._plain = re.compile(r"(?:[^\[#]++|#{1,3}+(?=[^#]))++")

    def __call__(self, text: str, position: int, is_end: bool) -> Step | None:
        """A step of `streams.Rule`."""
        if plain := self._plain.match(text, position):
            return plain.group(), plain.end()
        if text[position] == "#":
            if text.startswith("####", position):
                self._findings["marker"] += 1
                return " ", position + 4
            return (text[position:], len(text)) if is_end else None
        if marker := _BRACKETED.match(text, position):
            if marker.end() == len(text) and not marker[2] and not is_end:
                return None
            if marker[2] and marker[1].lower() in _BRACKETED_NAMES:
                self._findings["marker"] += 1
                return " ", marker.end()
        return "[", position + 1
