"""Texts that a model could be made to write, for the tests of the output guard, and judges from outside the code."""

import random
import re
import unicodedata
from html.parser import HTMLParser
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

from llmops.guards import personal_data
from llmops.guards.output import OutputPolicy

POLICY = OutputPolicy(
    allowed_hosts=frozenset({"shop.example", "www.shop.example"}),
    allowed_values=frozenset({"help@shop.example", "+49 451 123456"}),
    phone_regions=("DE", "GB", "US", "NO"),
)

FRAGMENTS = [
    *"<>[]()!:/\\.#|@+-_*`'\"&;=?,~ \n\t\r0147",
    *["\x1b", "\x1b[", "\x1b]0;", "\x07", "\x9b", "\x00", "\u200b", "\u202e", "\u2066", "\u00ad", "\ufeff", "\ud800"],
    *["\u2028", "\u0301", "\ufe0f", "\U000e0041", "\uff20", "\u3002", "\uff1a", "\uff0e", "\u2460", "\uff14", "ß", "Я"],
    *[
        "<b>",
        "</p>",
        "<br/>",
        "<img src=x onerror=alert(1)>",
        "<script",
        "script>",
        "<!--",
        "-->",
        "<a href='",
        "<svg/on",
    ],
    *[
        "<|im_start|>",
        "<|",
        "|>",
        "im_end",
        "<s>",
        "[INST]",
        "[/INST]",
        "[Answer]",
        "[Ans",
        "wer]",
        "##",
        "####",
        "<<SYS>>",
    ],
    *[
        "![",
        "](",
        "]:",
        "][",
        "![x](https://evil.example/?q=",
        "[x](",
        "[r]: ",
        "[r]",
        ")",
        ' "t")',
        "<https://",
        "\n\n",
    ],
    *[
        "http",
        "https",
        "://",
        "https://",
        "HTTPS://",
        "//",
        "www.",
        "ftp://",
        "javascript:",
        "data:text/html,",
        "mailto:",
    ],
    *[
        "evil.example",
        "evil.com",
        "shop.example",
        "www.shop.example/a.html",
        "user@",
        "/path.html?x=",
        "127.0.0.1",
        ".com/",
    ],
    *[
        "kari@example.org",
        "help@shop.example",
        "4111 1111 1111 1111",
        "4111",
        " 1111",
        "-1111",
        "DE89 3704 0044 0532 0130 00",
    ],
    *[
        "DE89",
        " 3704",
        " 0044 0532 0130 00",
        "+49 451 123456",
        "+47 22 12 34 56",
        "+47",
        " 22 12",
        " 34 56",
        "(020) 7946 0958",
    ],
    *[
        "order",
        " and ",
        "Preis",
        "<EMAIL>",
        "<EMAIL:0123456789abcdef>",
        "2026-11-02",
        " 49.90 EUR",
        "您好",
        "e.g.",
        "3 < 4",
    ],
]


def random_text(dice: random.Random) -> str:
    """Up to 40 fragments, now and then a character from anywhere in Unicode, seldom something very long."""
    pieces = dice.choices(FRAGMENTS, k=dice.randint(1, 40))
    if dice.random() < 0.3:
        pieces.insert(dice.randint(0, len(pieces)), "".join(chr(dice.randrange(0x110000)) for _ in range(5)))
    if dice.random() < 0.1:
        pieces.insert(dice.randint(0, len(pieces)), dice.choice(FRAGMENTS) * dice.choice([20, 100, 400]))
    return "".join(pieces)


def cut(text: str, dice: random.Random) -> list[str]:
    """The text in pieces: single characters, tokens or larger."""
    size = dice.choice([1, 3, 10, 200])
    pieces = []
    while text:
        length = dice.randint(1, size)
        pieces.append(text[:length])
        text = text[length:]
    return pieces


class _Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(tag)

    def handle_comment(self, data: str) -> None:
        self.seen.append(data)

    def handle_decl(self, decl: str) -> None:
        self.seen.append(decl)

    def unknown_decl(self, data: str) -> None:
        self.seen.append(data)

    def handle_pi(self, data: str) -> None:
        self.seen.append(data)


def markup_in(text: str) -> list[str]:
    """Tags, comments and declarations that Python's HTML parser sees."""
    parser = _Markup()
    parser.feed(text)
    parser.close()
    return parser.seen


_RENDERERS = [MarkdownIt("commonmark"), MarkdownIt("gfm-like")]
_RENDERERS[1].linkify.set({"fuzzy_link": False, "fuzzy_email": True})


def links_in(text: str) -> list[str]:
    """Targets of links and images that CommonMark and GitHub's dialect see and that the policy does not allow."""
    found = []
    for renderer in _RENDERERS:
        for block in renderer.parse(text):
            for token in block.children or []:
                if token.type == "image":
                    found.append(str(token.attrs["src"]))
                elif token.type == "link_open" and not _is_allowed(str(token.attrs["href"])):
                    found.append(str(token.attrs["href"]))
    return found


def _is_allowed(target: str) -> bool:
    parts = urlsplit(target)
    if parts.scheme == "mailto":
        return parts.path in POLICY.allowed_values
    return parts.scheme in {"http", "https", ""} and parts.hostname in POLICY.allowed_hosts


def unseen_in(text: str) -> list[str]:
    """Characters without a look of their own, by their Unicode category."""
    return [
        f"U+{ord(character):04X}"
        for character in text
        if character not in "\n\t" and unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    ]


def markers_in(text: str) -> list[str]:
    """Control markers of the templates."""
    return re.findall(r"(?i)<\|[^<>]*\|>|\[/?(?:INST|context|question|answer)\]|####|</?s>|<<sys>>", text)


def people_in(text: str) -> list[str]:
    """Personal data in the whole text that the policy does not allow, by `personal_data`, which has its own tests.

    It takes less than seven digits for a phone number only where the text has more elsewhere: those do not count.
    """
    types, regions = ("IBAN", "CARD", "EMAIL", "PHONE"), POLICY.phone_regions
    shown = (text[span.start : span.end] for span in personal_data.find(text, types, regions))
    shown = (value for value in shown if personal_data.find(value, types, regions))
    return [value for value in shown if re.sub(r"[^a-z0-9@]", "", value) not in {"help@shopexample", "49451123456"}]
