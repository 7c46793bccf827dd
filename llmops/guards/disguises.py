"""Other readings of a text: what is left of it once the usual disguises are taken off."""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from llmops.guards import views

_LONGEST_SEARCHED = 2**20  # characters of one reading; nobody decodes by hand what is longer
_DEPTH = 2  # disguises within each other

_BASE64 = re.compile(
    r"[A-Za-z0-9+/_-]{16,}+(?:[\r\n]{1,2}[A-Za-z0-9+/_-]{16,}+)*+(?:[\r\n]{1,2}[A-Za-z0-9+/_-]{2,15}+)?+={0,2}"
)
_HEX = re.compile(r"(?:(?:0x|\\x|%)?[0-9A-Fa-f]{2}[ ,:]?){8,}+")
_ESCAPE = re.compile(r"&#(?:[xX]([0-9A-Fa-f]{1,6})|([0-9]{1,7}));?|\\u\{?([0-9A-Fa-f]{4,6})\}?")
_TAGS = re.compile("[\U000e0020-\U000e007e]+")  # invisible copies of ASCII (Unicode, "Tags"), which models read
_TAG_BASE = 0xE0000
_BINARY = re.compile(r"(?:[01]{8} ?){6,}+")
_SPACED = re.compile(r"(?<!\w)\w(?:[ ._*|/-]\w)++(?!\w)")  # where a long run shows that letters stand apart
_LONG_SPACED = re.compile(r"(?<!\w)\w(?:[ ._*|/-]\w){4,}+(?!\w)")
_BEFORE_SIGN = re.compile(r" (?=[.,;:!?')\]])")
_LEET_RUN = re.compile(r"[a-z][013457@$!|]{1,3}[a-z]")
_LEET = [str.maketrans("013457@$!|", letters) for letters in ("oieastasil", "oleastasll", "oleastasil")]
_ROT13 = str.maketrans(
    dict(zip(map(chr, range(97, 123)), codecs.encode("abcdefghijklmnopqrstuvwxyz", "rot13"), strict=True))
)
# One of these stands in most attempts that are worth the trouble of writing them backwards or in rot13.
_WORDS = (
    *("instruction", "prompt", "system", "ignore", "disregard", "forget", "rules", "pretend", "password"),
    *(" the ", " and ", " you ", " your ", " are ", " all ", " this ", " can ", " with ", " und ", " las ", " les "),
)
_WORDS_IN_ROT13 = tuple(word.translate(_ROT13) for word in _WORDS)
_WORDS_BACKWARDS = tuple(word[::-1] for word in _WORDS)
# Letters that look like Latin ones in most fonts (Unicode's confusables.txt, the lower-case ones that are in use).
_LOOK_ALIKES = str.maketrans(
    "абвгеиѕіјкмнорсстухуһԁԛԝѵьαβγεηικνορτυχωϲϳⅼıɡɑοցհոսօզⲟ",
    "abbreusijkmhopcctyxyhdqwvbabyenikvoptuxwcjligaoghnuoqo",
)


def readings(text: str) -> Iterator[tuple[str, str]]:
    """Name and text of each reading that differs from the text: folded (`views.folded`), but for `plain` not empty.

    The first is `plain`, the text itself. Takes time in proportion to the text's length.
    """
    plain = views.folded(text)
    yield "plain", plain
    seen = {plain}
    for name, reading in (*_decoded(text, _DEPTH), *_respelled(plain)):
        if reading not in seen:
            seen.add(reading)
            yield name, reading


def _decoded(text: str, depth: int) -> Iterator[tuple[str, str]]:
    """What runs of an encoding hold, all runs of one encoding together, and what those hold in turn."""
    for name, pattern, decode in (
        ("base64", _BASE64, _from_base64),
        ("hex", _HEX, _from_hex),
        ("binary", _BINARY, _from_binary),
    ):
        found = [decoded for run in pattern.finditer(text) if (decoded := _as_text(decode(run.group())))]
        if found:
            inner = "\n".join(found)[:_LONGEST_SEARCHED]
            yield name, views.folded(inner)
            if depth > 1:
                yield from _decoded(inner, depth - 1)
    if tags := _TAGS.findall(text):
        yield "tags", views.folded("\n".join("".join(chr(ord(tag) - _TAG_BASE) for tag in run) for run in tags))
    unescaped = _ESCAPE.sub(_unescaped, text)
    if unescaped != text:
        yield "escapes", views.folded(unescaped)


def _respelled(plain: str) -> Iterator[tuple[str, str]]:
    if not plain.isascii():
        yield "look-alikes", plain.translate(_LOOK_ALIKES)
    if _LEET_RUN.search(plain):
        yield from (("leetspeak", plain.translate(table)) for table in _LEET)
    if _LONG_SPACED.search(plain):
        joined = _SPACED.sub(lambda run: run.group()[::2], plain)
        yield "spaced", _BEFORE_SIGN.sub("", re.sub(r" {2,}", " ", joined))
    if any(word in plain for word in _WORDS_IN_ROT13):
        yield "rot13", plain.translate(_ROT13)
    if any(word in plain for word in _WORDS_BACKWARDS):
        yield "reversed", plain[::-1]


def _from_base64(run: str) -> bytes:
    digits = re.sub(r"[\r\n=]", "", run).replace("-", "+").replace("_", "/")
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4))
    except binascii.Error:
        return b""


def _from_hex(run: str) -> bytes:
    if "%" in run:
        return unquote_to_bytes(run)
    return bytes.fromhex(re.sub(r"0x|\\x|[ ,:]", "", run))


def _from_binary(run: str) -> bytes:
    digits = run.replace(" ", "")
    return bytes(int(digits[start : start + 8], 2) for start in range(0, len(digits) - 7, 8))


def _as_text(data: bytes) -> str:
    """The bytes as text, empty if they are none."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() or re.fullmatch(r"[^\x00-\x08\x0e-\x1f]*", text) else ""


def _unescaped(escape: re.Match[str]) -> str:
    code = int(escape[1] or escape[3] or "0", 16) or int(escape[2] or "0")
    return chr(code) if code < 0x110000 else ""
