"""Personal data in many texts at once: what `personal_data.find` finds in each, at a fraction of its cost.

Most texts hold nothing. RE2 (through pyarrow) tells so without one of them becoming a Python string: each patterned
type has hints (`guards.patterns.hints`), expressions one of which matches in every text that holds the type. `find`
then looks for those types alone that a text has a hint of, in itself or in its normalised view.
"""

import itertools
import re
import unicodedata
from collections.abc import Collection, Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llmops.guards import personal_data, views
from llmops.guards.patterns import contacts, context, identifiers, numbers, phones, secrets
from llmops.guards.spans import Span

_HINTS: dict[str, tuple[str, ...]] = {
    kind: expressions
    for family in (contacts, context, identifiers, numbers, phones, secrets)
    for kind, expressions in family.HINTS.items()
}
_DOTTED, _DOTLESS = "\u0130", "\u0131"
_OTHER_CASE = "\u017f\u212a"  # long s and the Kelvin sign
_FAR = "\U00010000-\U0010ffff"  # not looked at one by one


def find_many(
    texts: pa.Array, types: Collection[str] = personal_data.TYPES, phone_regions: Collection[str] = phones.REGIONS
) -> list[list[Span]]:
    """Per text (string [texts], may hold nulls) the spans that `personal_data.find` gives; none for a null."""
    wanted = [kind for kind in personal_data.TYPES if kind in types]
    may_hold = _may_hold(texts, wanted)
    places = np.flatnonzero(may_hold.any(axis=0))
    found: list[list[Span]] = [[] for _ in range(len(texts))]
    looked_at = texts.take(pa.array(places)).to_pylist()
    for place, text, row in zip(places.tolist(), looked_at, may_hold.T[places].tolist(), strict=True):
        kinds = [kind for kind, may in zip(wanted, row, strict=True) if may]
        found[place] = personal_data.find(text, kinds, phone_regions)
    return found


def _may_hold(texts: pa.Array, types: Sequence[str]) -> NDArray[np.bool_]:
    """For each of the types (bool [types, texts]) whether the text may hold it."""
    places = np.flatnonzero(_matches(texts, (_special(),)))
    special = texts.take(pa.array(places)).to_pylist()
    readings = [_with_plain_i(text) for text in (*special, *(views.normalised(text).text for text in special))]
    # All in one go: RE2 costs as much to start as to go through a thousand texts.
    hinted = _hinted(pa.concat_arrays([texts, pa.array(readings, texts.type)]), types)
    may_hold, written, seen = np.split(hinted, [len(texts), len(texts) + len(places)], axis=1)
    beyond = np.array([_is_beyond_hints().search(text) is not None for text in special], np.bool_)
    may_hold[:, places] = written | seen | beyond
    return may_hold


def _with_plain_i(text: str) -> str:
    """The text with an i for the Turkish letters that `re`, without regard to case, takes for one, and RE2 does not."""
    return text.replace(_DOTTED, "i").replace(_DOTLESS, "i")


def _hinted(texts: pa.Array, types: Sequence[str]) -> NDArray[np.bool_]:
    """For each of the types (bool [types, texts]) whether there is a hint of it; the tagger's are in any text."""
    hinted = np.empty((len(types), len(texts)), np.bool_)
    for row, kind in enumerate(types):
        is_tagged = kind in personal_data.TAGGED
        hinted[row] = texts.is_valid().to_numpy(zero_copy_only=False) if is_tagged else _matches(texts, _HINTS[kind])
    return hinted


def _matches(texts: pa.Array, expressions: Sequence[str]) -> NDArray[np.bool_]:
    matches = np.zeros(len(texts), np.bool_)
    for expression in expressions:
        matches |= pc.match_substring_regex(texts, expression).fill_null(False).to_numpy(zero_copy_only=False)
    return matches


@cache
def _special() -> str:
    """For RE2: a character that the hints do not know as it is, or that reads differently in the normalised view."""
    ranges = "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in views.changing_ranges())
    return f"[{ranges}{_DOTTED}{_DOTLESS}]"


@cache
def _is_beyond_hints() -> re.Pattern[str]:
    """Characters of special texts that are more to `re` than to RE2: spaces, digits, ASCII's letters in other case."""
    inside = [range(first, last + 1) for first, last in views.changing_ranges() if last < 0x10000]
    known = (chr(code) for code in itertools.chain(*inside) if chr(code) not in "\t\r\f")
    unknown = [one for one in known if one.isspace() or unicodedata.category(one) == "Nd"]
    return re.compile(f"[{''.join(map(re.escape, unknown))}{_OTHER_CASE}{_FAR}]")
