"""Makes links in a model's answer visible for what they are, and leaves only those to allowed hosts to be followed.

Text is taken apart by putting something into it, hardly ever by taking something out: so nothing that was apart in the
answer can meet and become a link again.
"""

import re
from collections import Counter
from collections.abc import Collection

from llmops.guards.streams import Step

WORD_LENGTH = 256
"""Characters of a word or host that are looked at together; a domain name has 253 at most (RFC 1035, section 2.3.4)."""
TARGET_LENGTH = 2048
"""Characters of the `(…)` behind `[…]`, at most; a longer one is shown as text."""

# What neither starts a construct nor belongs to a word that may turn out to be one.
_PLAIN = re.compile(r"(?:[^\w.+\-!\[\]/\\:]++|[\w+-]++(?=[^\w.+\-:]))++")
_WORD = re.compile(rf"[\w.+-]{{1,{WORD_LENGTH}}}")
_AUTHORITY = re.compile(rf"[^\s/?#<>\[\]]{{0,{WORD_LENGTH}}}")
_PATH = re.compile(r"[\w\-.~/?#=&%+,;@$\u2039\u203a]+")
_TARGET = re.compile(r"\]\((?:[^()\n]++|\([^()\n]*+\)?+)*+(\)?)")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z", re.IGNORECASE | re.ASCII)
_HOST = re.compile(r"([a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::\d{1,5})?", re.IGNORECASE | re.ASCII)
_HTTP = re.compile(r"https?://([a-z0-9.-]+)(?::\d{1,5})?(?:[/?#][\w\-.~/?#=&%+,;@:$]*)?", re.IGNORECASE | re.ASCII)
_MAILTO = re.compile(r"mailto:([\w.+-]+@[\w.-]+)", re.IGNORECASE | re.ASCII)
_OTHER_SCHEME = re.compile(r"[\s<]*(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_CLOSING = ".,;:!?\"'`)}*_~|"  # what may follow an address and belong to the sentence
_DOMAIN = re.compile(r"(?:[\w-]+\.)++([^\W\d_]{2,})")
# Browsers take all four dots for one (UTS 46). Not where `[.]` would open something new: `[.](`, `[.]:`.
_JOINT = re.compile(r"([.\u3002\uff0e\uff61]|:(?!\d))(?=[^\s(:\[])")
# Followed without `//`; others are links only where something makes them links, and `[x](…)` is taken apart anyway.
_RISKY_SCHEMES = frozenset({"about", "blob", "chrome", "data", "file", "javascript", "livescript", "vbscript"})
# Names that programs turn into links without a scheme or a path. Two-letter ones are left out: `read.me`, `done.It`.
_COMMON_ENDINGS = "app biz cloud com dev edu gov icu info link live net online org pro shop site store top xyz"
_TOP_LEVEL = frozenset(_COMMON_ENDINGS.split())


class Links:
    """Breaks links to hosts that are not allowed: `https[://]evil[.]example/path` can be read, not clicked.

    - Images keep their description (`[chart]…`): their address is fetched without a click, and would carry data out.
    - `[text](address)` stays a link where the address is plain and allowed; else the address is shown behind the text
      or, if it is none of the web, dropped. No reference (`[text]: address`) is left.
    - Names without a scheme are broken where a path or a common ending follows, or `www.` leads.

    `mailto:` links stay if the address is an allowed one. Not covered: bare names under a country's ending (`evil.de`),
    which some programs turn into links, too.
    """

    def __init__(self, hosts: Collection[str], addresses: Collection[str], findings: Counter[str]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._addresses = frozenset(address.casefold() for address in addresses)
        self._mail_hosts = frozenset(address.rpartition("@")[2] for address in self._addresses)
        self._findings = findings
        self._is_in_path = False  # of an allowed address: what looks like a name there is none
        self._is_in_image = False
        self._before = ""  # the character before the position
        self._decide = {
            "[": lambda _text, position, _is_end: ("[", position + 1),
            "!": self._exclamation,
            "]": self._bracket,
            ":": self._slashes,
            "/": self._slashes,
            "\\": self._slashes,
        }

    def __call__(self, text: str, position: int, is_end: bool) -> Step | None:
        """A step of `streams.Rule`."""
        step = self._step(text, position, is_end)
        if step is not None:
            self._before = text[step[1] - 1]
        return step

    def _step(self, text: str, position: int, is_end: bool) -> Step | None:
        if self._is_in_path and (path := _PATH.match(text, position)):
            return path.group(), path.end()
        self._is_in_path = False
        if plain := _PLAIN.match(text, position):
            self._is_in_image = self._is_in_image and "\n" not in plain.group()
            return plain.group(), plain.end()
        return self._decide.get(text[position], self._word)(text, position, is_end)

    def _exclamation(self, text: str, position: int, is_end: bool) -> Step | None:
        if position + 1 == len(text) and not is_end:
            return None
        if not text.startswith("[", position + 1):
            return "!", position + 1
        self._is_in_image = True
        self._findings["image"] += 1
        return "", position + 1

    def _bracket(self, text: str, position: int, is_end: bool) -> Step | None:
        target = _TARGET.match(text, position, position + TARGET_LENGTH)
        reached = target.end() if target else position + 1
        if target and target[1]:
            return self._target(target.group()[2:-1], position, reached)
        is_open = reached == len(text) < position + TARGET_LENGTH and not is_end
        return None if is_open else ("]", position + 1)

    def _target(self, inside: str, position: int, end: int) -> Step:
        """What becomes of `](inside)`, from `position` to `end`: dropped, kept as a link, or shown behind the text."""
        if self._is_in_image:
            self._is_in_image = False
            return "]\u2026", end
        address = inside.split(maxsplit=1)[0] if inside.strip() else ""
        if self._is_allowed(address):
            return f"]({address})", end
        if _OTHER_SCHEME.match(inside):
            self._findings["link"] += 1
            return "]\u2026", end
        return "]", position + 1

    def _is_allowed(self, address: str) -> bool:
        if web := _HTTP.fullmatch(address):
            return web[1].lower() in self._hosts
        mail = _MAILTO.fullmatch(address)
        return mail is not None and mail[1].casefold() in self._addresses

    def _word(self, text: str, position: int, is_end: bool) -> Step | None:
        word = _WORD.match(text, position)
        if word is None:
            return text[position], position + 1
        shown, end = word.group(), word.end()
        if len(shown) == WORD_LENGTH:
            return _broken(shown) if "." in shown else shown, end
        if end == len(text) and not is_end:
            return None
        if text.startswith(":", end):
            return self._before_colon(text, position, end, is_end)
        return self._name(text, shown, end)

    def _before_colon(self, text: str, position: int, colon: int, is_end: bool) -> Step | None:
        word, behind = text[position:colon], text[colon + 1 : colon + 3]
        if not behind.strip("/\\"):
            if len(behind) == 2:
                return self._slashes(text, position, is_end, colon)
            if not is_end:
                return None
        found = _SCHEME.search(word)
        scheme = found.group().lower() if found else ""
        address = _AUTHORITY.match(text, colon + 1) if scheme == "mailto" else None
        if address and address.end() == len(text) and len(address.group()) < WORD_LENGTH and not is_end:
            return None
        is_other = address and address.group() and address.group().rstrip(_CLOSING).casefold() not in self._addresses
        if is_other or (scheme in _RISKY_SCHEMES and behind[:1].strip()):
            self._findings["link"] += 1
            return f"{word}[:]", colon + 1
        return self._name(text, word, colon)

    def _name(self, text: str, word: str, end: int) -> Step:
        """A word that may be a name of a host, without scheme."""
        bare = word.strip(".-+_")
        if self._before == "@":  # of an e-mail address that is allowed, or that is none to `personal_data`
            return word if bare.casefold() in self._mail_hosts else _broken(word), end
        domain = _DOMAIN.fullmatch(bare)
        if domain is None or text.startswith("@", end):
            return word, end
        is_followed = text[end : end + 1] in {"/", "?", "#", "\\"} or bool(re.match(r":\d", text[end : end + 2]))
        if not is_followed and domain[1].lower() not in _TOP_LEVEL and not bare.lower().startswith("www."):
            return word, end
        if bare == word and bare.lower() in self._hosts:
            self._is_in_path = True
            return word, end
        self._findings["link"] += 1
        return _broken(word), end

    def _slashes(self, text: str, position: int, is_end: bool, colon: int | None = None) -> Step | None:
        """`scheme://host`, `://host` or `//host`: up to the end of the host. `colon` is where the scheme has ended."""
        colon = position if colon is None else colon
        start = colon + (text[colon] == ":")
        opening = text[start : start + 2]
        if len(opening) < 2 and not opening.strip("/\\") and not is_end:
            return None
        if len(opening) < 2 or opening.strip("/\\"):
            return text[position], position + 1
        authority = _AUTHORITY.match(text, start + 2)
        host = authority.group() if authority else ""
        end = start + 2 + len(host)
        if end == len(text) and not is_end and len(host) < WORD_LENGTH:
            return None
        word = text[position:colon]
        scheme = _SCHEME.search(word)
        if opening == "//" and scheme and scheme.group().lower() in {"http", "https"} and self._is_allowed_host(host):
            self._is_in_path = True
            return text[position:end], end
        if not host and text[end : end + 1].strip() in {"", "]"}:
            return text[position:end], end  # slashes on their own, or what stands here was broken before
        self._findings["link"] += 1
        gap = " " if host.startswith((":", "(")) else ""
        return f"{word}[{text[colon:start]}{opening}]{gap}{_broken(host)}", end

    def _is_allowed_host(self, authority: str) -> bool:
        """Nobody's name and password, no other alphabet; what ends a sentence may follow."""
        host = _HOST.fullmatch(authority.rstrip(_CLOSING))
        return host is not None and host[1].lower() in self._hosts


def _broken(name: str) -> str:
    return _JOINT.sub(r"[\1]", name)


def link_would_form(last: str, first: str) -> bool:
    """For `streams.Stage`: brackets that must not adjoin, whatever was dropped between them."""
    return (last == "]" and first in "(:") or (last == "!" and first == "[")
