"""Which kinds of statement an answer makes: labels by rule, for metrics of label sets.

Support answers rarely agree word for word, yet an answer that should name a price and a link and names neither is wrong
in a way that can be counted. The kinds are told by form alone. Not covered: whether the price is the right one, and
yes and no outside the five languages of `_YES` and `_NO`.
"""

import re

from llmops.guards.refusals import is_refusal

_YES = re.compile(r"^\W*(?:yes|yeah|sure|of course|certainly|ja|oui|s[iíì])\b", re.IGNORECASE)
_NO = re.compile(r"^\W*(?:no|nope|not|unfortunately|sorry|nein|leider|non|nei)\b", re.IGNORECASE)
_PATTERNS = {
    "yes": _YES,
    "no": _NO,
    "number": re.compile(r"\d"),
    "money": re.compile(r"[$€£¥₹]|\b(?:EUR|USD|GBP|CHF|NOK|SEK|DKK|euros?|dollars?|pounds?)\b", re.IGNORECASE),
    "contact": re.compile(r"https?://|\bwww\.|\w@\w|[‹<\[](?:EMAIL|PHONE)\b"),
    "question": re.compile(r"[?？]"),
    "list": re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+\S", re.MULTILINE),
}
KINDS = (*_PATTERNS, "refusal")
"""Every kind, in the order of `kinds_in`: short yes, short no, a number, money, a way to make contact, a question, a
list, a refusal."""


def kinds_in(answer: str) -> list[int]:
    """1 for each of `KINDS` that the answer holds, else 0."""
    return [*(int(bool(pattern.search(answer))) for pattern in _PATTERNS.values()), int(is_refusal(answer))]
