"""Screens what people send for attempts to take the model over: override, leak, role-play, exfiltration, markers.

Rules (`guards.phrases`) and a classifier (`guards.classifier`), both on the text and on what is left of it without its
disguises (`guards.disguises`): encodings, look-alike letters, leetspeak, letters apart. The score joins them; a strong
rule flags alone, a weak one can be outvoted. English, German, French, Spanish, Russian and Chinese, some of other
languages.

How well it works, at `THRESHOLD` (what was trained on and every source in `weights/injection.md`):

- Attacks by authors that nothing here was trained on: 0.76 to 1.00 flagged in seven of nine sources in English, 0.64 in
  52 of many languages, 0 of 8 that hide a harmful question in a table or a puzzle. Some of these figures were looked at
  while the grammars grew, so they are development figures; 30 of a source that was not: 30 flagged.
- Benign prompts full of an attack's words, by others: 1 of 176 flagged. Ordinary texts by others: 5 of 1,704.
- In disguise, 400 attacks in English: 0.84 to 0.85, where 0.85 is found in plain.
- Ordinary requests in the wrong place, such as the attacks of BIPIA, are not found: nothing in their words tells.

So it is one layer of several and a weak one; it does not prevent injection, nothing does.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from llmops.guards import classifier, disguises, phrases, views

THRESHOLD = 0.5
"""Scores from here on are flagged."""
_FEWEST_WORDS = 3
"""Fewer words are no order, and the classifier has seen too few of such texts to know: rules alone judge them."""
SURE = -math.log(1 - 0.85)
"""Evidence of rules that flags alone: the classifier outvotes weak rules, not a strong one or several."""
_LEARNED = "learned"
_FAR = 700.0  # logits; exp overflows at 710


@dataclass(frozen=True, slots=True)
class Screening:
    """What rules and classifier say about a text."""

    score: float
    """0 to 1. Comparable among texts, no probability."""
    is_flagged: bool
    rules: tuple[str, ...]
    """Names of the rules that matched, sorted, and `learned` if the classifier alone would flag; behind a colon the
    disguise it was found under: `override:base64`."""


def screen(text: str) -> Screening:
    """Whether a text looks like an attempt to take the model over. Linear in its length; never raises."""
    model = classifier.shipped()
    readings = list(disguises.readings(text))
    matched = _matched(readings)
    learned: dict[str, float] = {}
    for reading, readable in readings:  # several may have one name
        rule = _named(_LEARNED, reading)
        if readable.isascii() and len(readable.split()) < _FEWEST_WORDS:  # other scripts may have no spaces
            learned.setdefault(rule, -math.inf)
            continue
        learned[rule] = max(classifier.evidence(readable, model), learned.get(rule, -math.inf))
    told_by_rules = _together(matched)
    evidence = max(learned.values(), default=-math.inf) + model.rules * told_by_rules
    if told_by_rules:
        evidence = max(evidence, model.threshold + model.rules * (told_by_rules - SURE))
    score = round(1 / (1 + math.exp(min(model.threshold - evidence, _FAR))), 4)
    told = [name for name, logit in learned.items() if logit >= model.threshold]
    return Screening(score, score >= THRESHOLD, tuple(sorted([*matched, *told])))


def rules_evidence(text: str) -> float:
    """What the rules say about a text in all its readings: -ln of the doubt that is left, 0 where none matches."""
    return _together(_matched(disguises.readings(text)))


def _matched(readings: Iterable[tuple[str, str]]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for reading, readable in readings:
        for name, weight in _matches(readable):
            rule = _named(name, reading)
            weights[rule] = max(weight, weights.get(rule, 0.0))
    return weights


def _together(weights: Mapping[str, float]) -> float:
    strongest: dict[str, float] = {}
    for rule, weight in weights.items():  # the same words in two readings count once
        name = rule.partition(":")[0]
        strongest[name] = max(weight, strongest.get(name, 0.0))
    return -sum(math.log(1 - weight) for weight in strongest.values())


def _named(rule: str, reading: str) -> str:
    return rule if reading == "plain" else f"{rule}:{reading}"


def _vocabulary() -> tuple[dict[str, str], dict[str, list[tuple[str, str]]]]:
    """Class letters of whole words, and of beginnings by their first four characters."""
    words: dict[str, str] = {}
    stems: dict[str, list[tuple[str, str]]] = {}
    for letter, members in phrases.CLASSES.items():
        for member in views.folded(members).split():
            if member.endswith("*"):
                stems.setdefault(member[:_STEM], []).append((member[:-1], letter))
            else:
                words.setdefault(member, letter)
    return words, stems


_STEM = 4
_WORDS, _STEMS = _vocabulary()
_TOKEN = re.compile(r"\w+(?:'\w+)*|://|[@.!?;]|\n(?=\n)")
_SENTENCE_ENDS = frozenset(".!?;\n")
_PAUSE = re.compile(r"(?<=[.]{13})[.]+")  # longer than any gap in a rule
_RULES = tuple((rule.name, re.compile(rule.pattern), rule.weight) for rule in phrases.RULES)
_PHRASES = tuple((phrase.name, phrase.starts, re.compile(phrase.pattern), phrase.weight) for phrase in phrases.PHRASES)
_GLUED = range(12, 400)
"""Lengths of what may be words run together: `ignoreallpreviousinstructions`."""


def _one_of(words: Iterable[str]) -> str:
    """A pattern for the longest of the words, split by first letter twice: `re` tries branches one by one."""
    ordered = sorted(words, key=lambda word: (word[:1], word[1:2], -len(word)))
    firsts = []
    for first, group in groupby(ordered, key=lambda word: word[0]):
        seconds = [
            re.escape(second) + "(?:" + "|".join(re.escape(word[2:]) for word in members) + ")"
            for second, members in groupby(group, key=lambda word: word[1])
        ]
        firsts.append(re.escape(first) + "(?:" + "|".join(seconds) + ")")
    return "|".join(firsts)


_KNOWN = re.compile(_one_of(word for word in _WORDS if len(word) > 2))


def _matches(text: str) -> list[tuple[str, float]]:
    letters = _letters(text)
    found = [(name, weight) for name, pattern, weight in _RULES if pattern.search(letters)]
    said = ((name, weight) for name, starts, pattern, weight in _PHRASES if _is_said(text, starts, pattern))
    return [*found, *said]


def _is_said(text: str, starts: Iterable[str], pattern: re.Pattern[str]) -> bool:
    for start in starts:
        at = text.find(start)
        while at >= 0:
            if pattern.match(text, at):
                return True
            at = text.find(start, at + 1)
    return False


def _letters(text: str) -> str:
    """`|`, and one letter for each word: its class, `.`, or `|` where a sentence ends."""
    tokens = _TOKEN.findall(text)
    classes = {token: _class_of(token) for token in set(tokens)}
    return "|" + _PAUSE.sub("", "".join([classes[token] for token in tokens]))


def _class_of(token: str) -> str:
    if token in _WORDS:
        return _WORDS[token]
    if token in _SENTENCE_ENDS:
        return "|"
    for stem, letter in _STEMS.get(token[:_STEM], ()):
        if token.startswith(stem):
            return letter
    if len(token) in _GLUED:
        words = _KNOWN.findall(token)
        if sum(map(len, words)) >= 0.8 * len(token):  # else an identifier or a compound that holds them by chance
            return "".join(_WORDS[word] for word in words)
    return "."
