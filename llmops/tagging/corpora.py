"""Corpora of others to learn from, read by path; every second text is left alone, for measuring."""

import csv
import importlib
import json
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

from defusedxml import ElementTree

from llmops.errors import ConfigurationError
from llmops.guards.spans import Span
from llmops.tagging.sentences import Labelled

_JOINED = re.compile(r"[\s,]{0,4}\Z")
_PLACES = frozenset({"STREET_ADDRESS", "GPE", "ZIP_CODE"})
_LANGUAGES = (
    "de_DE",
    "fr_FR",
    "nl_NL",
    "it_IT",
    "pl_PL",
    "cs_CZ",
    "da_DK",
    "el_GR",
    "ru_RU",
    "uk_UA",
    "hy_AM",
)
_MOST_CHARACTERS = 1500
_SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z])|\n\n")
_SENTENCE_CHARACTERS = range(20, 300)


def read(path: Path) -> Iterator[Labelled]:
    """Labelled texts of a corpus, or texts that hold no names and addresses.

    `.json`: the layout of presidio-research, of which texts of templates with an odd number are left alone. `.jsonl`:
    one object a line, its texts taken for free of names; `.csv`: the first column likewise; a folder: the sentences of
    its XML files. Of these every second row or file is left alone.
    """
    if path.suffix == ".json":
        records = json.loads(path.read_text(encoding="utf-8"))
        return (labelled(record) for record in records if record["template_id"] % 2 == 0)
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        texts = [value for row in rows[::2] for value in row.values() if isinstance(value, str)]
    elif path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as lines:
            texts = [row[0] for row in list(csv.reader(lines))[1::2]]
    elif path.is_dir():
        trees = [ElementTree.parse(file) for file in sorted(path.rglob("*.xml"))[::2]]
        texts = [part for tree in trees for element in tree.iter() if element.text for part in pieces(element.text)]
    else:
        raise ConfigurationError(f"{path}: a corpus is a .json, .jsonl or .csv file, or a folder of .xml files")
    return (Labelled(text[:_MOST_CHARACTERS], ()) for text in texts)


def manual() -> list[str]:
    """Sentences of Python's own manual (PSF licence), which every Python brings: plain prose without people."""
    return [piece for text in topics.values() for piece in pieces(text)]


@cache
def foreign_words() -> dict[str, tuple[str, ...]]:
    """Ordinary words of some languages beside English, from the installed Faker (MIT)."""
    providers = {locale: importlib.import_module(f"faker.providers.lorem.{locale}").Provider for locale in _LANGUAGES}
    return {locale: tuple(provider.word_list) for locale, provider in providers.items()}


def foreign(count: int, draws: random.Random) -> list[str]:
    """Made-up prose in these languages: their words in any order, without people."""
    lists = tuple(foreign_words().values())
    made = (draws.choices(draws.choice(lists), k=draws.randrange(3, 14)) for _ in range(count))
    return [" ".join(chosen).capitalize() + draws.choice((".", "?", "", "!")) for chosen in made]


def pieces(text: str) -> list[str]:
    """The sentences of a text, without its line breaks."""
    found = (" ".join(part.split()) for part in _SENTENCE.split(text))
    return [part for part in found if len(part) in _SENTENCE_CHARACTERS]


def labelled(record: dict[str, Any]) -> Labelled:
    """A record of presidio-research: names as they are, streets joined with the towns and codes that follow them."""
    text = record["full_text"]
    spans = sorted((span["start_position"], span["end_position"], span["entity_type"]) for span in record["spans"])
    made: list[Span] = []
    run: list[tuple[int, int, str]] = []
    for start, end, kind in spans:
        if kind == "PERSON":
            made.append(Span(start, end, "PERSON"))
        if kind not in _PLACES:
            continue
        if run and not _JOINED.match(text, run[-1][1], start):
            made += _address(run)
            run = []
        run.append((start, end, kind))
    return Labelled(text, tuple(sorted([*made, *_address(run)])))


def _address(run: list[tuple[int, int, str]]) -> list[Span]:
    return [Span(run[0][0], run[-1][1], "ADDRESS")] if any(kind == "STREET_ADDRESS" for _, _, kind in run) else []
