"""Secrets of programs: keys and tokens by the forms that their issuers gave them, or by words and entropy.

Forms as the issuers document them (GitHub, GitLab, Slack, Stripe, OpenAI, Anthropic, Google, AWS, SendGrid, npm, PyPI,
Hugging Face, Shopify, DigitalOcean, Twilio); JSON web tokens: RFC 7519; private keys: RFC 7468.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from llmops.guards.patterns import hints
from llmops.guards.spans import Span

_ISSUED = re.compile(
    r"(?<![\w-])(?:"
    r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255}|gl(?:pat|dt|rt)-[\w-]{20,}"
    r"|xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}"
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}"
    r"|sk-(?:proj-|ant-|svcacct-|or-)?[\w-]{20,}"
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|key-[0-9a-f]{32}|(?:SK|AC)[0-9a-f]{32}"
    r"|npm_[A-Za-z0-9]{30,}|pypi-AgE[\w-]{30,}|hf_[A-Za-z0-9]{30,}|dop_v1_[0-9a-f]{40,}"
    r"|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|(?:EAAC|EAAG)[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{30,}|dckr_pat_[\w-]{20,}"
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"
    r")(?![\w-])"
)
_STEMS = (
    *("AKIA", "ASIA", "ABIA", "ACCA", "AROA", "AIDA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"),
    *("gldt-", "glrt-", "xox", "xapp-", "_live_", "_test_", "whsec_", "sk-", "AIza", "ya29.", "GOCSPX-", "SG.", "key-"),
    *("SK", "AC", "npm_", "pypi-AgE", "hf_", "dop_v1_", "shp", "EAAC", "EAAG", "r8_", "dckr_pat_", "eyJ"),
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?P<kind>[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?)-----(?:(?!-----).)*(?:-----END (?P=kind)-----)?", re.DOTALL
)
_LOGIN_IN_URL = re.compile(r"(?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@<>\"']*:[^\s/@<>\"']+@[^\s<>\"']+")
_NAMED = re.compile(
    r"(?:api|access|secret|private|auth\w*|client|app\w*|bearer|refresh|session|encryption|webhook|licen[cs]e|account)?"
    r"[ _-]?(?:key|token|secret|bearer|credential)s?(?:[ _-]?(?:id|key|value))?\b[\"']?"
    r"[ \t]{0,3}(?:is|was|:|=|=>|->|to)?[ \t:=]{0,4}[\"'`(]{0,2}(?P<value>[A-Za-z0-9_+/.~=-]{16,})",
    re.IGNORECASE,
)
_LONG_WORD = re.compile(r"\S{15}")
"""No key or token is shorter."""
_LONG_WITH_DIGIT = re.compile(r"(?<![A-Za-z0-9_+/.~=-])(?=[A-Za-z0-9_+/.~=-]{16})[A-Za-z_+/.~=-]*+\d")
_NAMES = ("key", "token", "secret", "bearer", "credential")
HINTS = {
    "SECRET": (
        rf"://\S*:\S*@|-----BEGIN [A-Z0-9 ]*PRIVATE KEY|(?:{'|'.join(map(re.escape, _STEMS))})\S{{10}}",
        hints.of(_NAMED.pattern),
    )
}
"""See `hints`."""
_LEAST_BITS = 3.0
"""Entropy of its characters, in bits each, that a value needs: words have less variety, digits of one number too."""


def has_long_word(text: str) -> bool:
    """Whether a text may hold a key, a token or a wallet at all."""
    return _LONG_WORD.search(text) is not None


def holds_any(text: str, stems: Iterable[str]) -> bool:
    """Whether one of the stems stands in the text; a loop, because a generator costs more than the search."""
    for stem in stems:  # noqa: SIM110 - see above
        if stem in text:
            return True
    return False


def find(text: str) -> Iterator[Span]:
    """Keys, tokens, private keys, and addresses with a login in them."""
    if "://" in text and "@" in text:
        for match in _LOGIN_IN_URL.finditer(text):
            yield Span(match.start(), match.start() + len(match.group().rstrip(".,;:!?)")), "SECRET")
    if "PRIVATE KEY" in text:
        yield from (Span(match.start(), match.end(), "SECRET") for match in _PRIVATE_KEY.finditer(text))
    if holds_any(text, _STEMS):
        yield from (Span(match.start(), match.end(), "SECRET", 0.95) for match in _ISSUED.finditer(text))
    if _LONG_WITH_DIGIT.search(text) and holds_any(text.lower(), _NAMES):
        for match in _NAMED.finditer(text):
            value = match["value"].rstrip(".=-")
            if is_random(value):
                yield Span(match.start("value"), match.start("value") + len(value), "SECRET", 0.85)


def is_random(value: str) -> bool:
    """Whether a value looks drawn by lot: letters and digits in many kinds, none of them in words."""
    if len(value) < 16 or not any(character.isdigit() for character in value):
        return False
    if not any(character.isalpha() for character in value):
        return False
    counts = Counter(value).values()
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
    return bits >= _LEAST_BITS
