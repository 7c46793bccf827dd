"""E-mail addresses, and the addresses of machines: IPv4, IPv6 and hardware (MAC)."""

import ipaddress
import re
from collections.abc import Iterator

from llmops.guards.spans import Span

# A run of local characters is matched whole, address or not, so that none of its characters is a start again.
_EMAIL = re.compile(r"[\w.+%'-]++(@(?:[\w-]+\.)+[^\W\d_]{2,})?")
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(rf"(?<![\w.-]){_OCTET}(?:\.{_OCTET}){{3}}(?![\w-]|\.\d)")
_DOTTED = re.compile(r"\d\.\d{1,3}\.\d")
_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]")
_VERSION_WORD = re.compile(
    r"(?:version|release|firmware|build|v|ver|update|driver|section|chapter)\.? ?$", re.IGNORECASE
)
_IPV6 = re.compile(
    r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{1,4}|(?<=:)|(?:\d{1,3}\.){3}\d{1,3})(?![\w:])", re.IGNORECASE
)
_MAC = re.compile(r"(?<![\w:-])[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![\w:-])", re.IGNORECASE)
HINTS = {
    "EMAIL": (r"@[^@\s]+\.",),
    "IP": (r"\d\.\d{1,3}\.\d{1,3}\.\d", _COLONS.pattern),
    "MAC": (r"(?i)[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}",),
}
"""See `hints`."""
_SHORTEST_IPV6 = 6  # shorter ones (`::1`) name no one's machine


def emails(text: str) -> Iterator[Span]:
    """E-mail addresses, international ones included."""
    return (Span(match.start(), match.end(), "EMAIL") for match in _EMAIL.finditer(text) if match[1])


def hosts(text: str) -> Iterator[Span]:
    """IP and MAC addresses; four numbers behind the word version are one, not an address."""
    if text.count(".") >= 3 and _DOTTED.search(text):
        for match in _IPV4.finditer(text):
            if not _VERSION_WORD.search(text, max(match.start() - 12, 0), match.start()):
                yield Span(match.start(), match.end(), "IP", 0.95)
    if text.count(":") >= 2 and _COLONS.search(text):
        yield from (Span(match.start(), match.end(), "IP") for match in _IPV6.finditer(text) if _is_ipv6(match.group()))
    if text.count(":") >= 5 or text.count("-") >= 5:
        yield from (Span(match.start(), match.end(), "MAC") for match in _MAC.finditer(text))


def _is_ipv6(text: str) -> bool:
    if len(text) < _SHORTEST_IPV6 or not any(character.isdigit() for character in text):
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
