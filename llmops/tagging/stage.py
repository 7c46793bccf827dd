"""`llmops train-tagger`: names and addresses learned from made-up sentences, and from corpora given by path."""

import hashlib
import json
import random
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from safetensors.numpy import save

from llmops import artifacts
from llmops.guards import words
from llmops.guards.tagger import LABELS
from llmops.manifest import Manifest
from llmops.tagging import corpora, crf, people, places, sentences
from llmops.tagging.config import TrainTaggerConfig
from llmops.tagging.sentences import Labelled

STAGE, VERSION = "train-tagger", 1
WEIGHTS, CARD = "tagger.safetensors", "tagger.json"
_FOREIGN_SHARE = 20  # one in so many sentences is of another language's ordinary words
_COMMON_FROM = 3  # times that a word stands in texts, outside of names and addresses
_REMARKS = ("Where is my order?", "I would like a refund.", "please help", "It does not work any more.", "See you then")
_REMARK_CHARACTERS = range(5, 160)
log = structlog.get_logger()


def train_tagger(
    target: str, *, corpus: tuple[Path, ...] = (), dictionary: Path | None = None, config: TrainTaggerConfig
) -> Manifest:
    """Train the tagger of `llmops.guards.tagger`: weights (`tagger.safetensors`) and their card in `target`.

    To ship them, copy both files to `llmops/guards/weights`.

    Parameters
    ----------
    target
        Where the weights go.
    corpus
        Files to learn from beside the made-up sentences (`llmops.tagging.corpora`); their hashes are recorded.
    dictionary
        List of words, one a line, such as /usr/share/dict/american-english-small; those in small letters are common
        words, which are names less often.
    """
    hashes = {path.name: _hash(path) for path in (*corpus, *([dictionary] if dictionary else []))}
    depends_on = {**hashes, "faker": version("faker")}
    attempt = artifacts.begin(target, stage=STAGE, version=VERSION, config=config, inputs=[], depends_on=depends_on)
    if attempt.committed:
        return attempt.committed
    draws = random.Random(config.seed)  # noqa: S311 - sentences, not secrets
    found = [sentence for path in corpus for sentence in corpora.read(path)]
    made = make_sentences(found, config, draws)
    ordinary = dictionary.read_text(encoding="utf-8").split() if dictionary else []
    lists = make_lists(made, ordinary)
    learned = crf.train(
        made,
        words.Describer(lists),
        buckets=config.buckets,
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        seed=config.seed,
    )
    card = {
        "sentences": {"made_up": config.sentences, "corpora": len(found), "all": len(made)},
        "read": hashes,
        "faker": depends_on["faker"],
        "config": config.model_dump(mode="json"),
        "labels": list(LABELS),
        "lists": {name: len(codes) for name, codes in lists.items()},
    }
    attempt.write_bytes(WEIGHTS, serialised(learned, lists))
    attempt.write_bytes(CARD, json.dumps(card, indent=2).encode() + b"\n")
    return attempt.commit(counts={"sentences": len(made)})


def _hash(path: Path) -> str:
    files = sorted(path.rglob("*.xml")) if path.is_dir() else [path]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def make_sentences(found: list[Labelled], config: TrainTaggerConfig, draws: random.Random) -> list[Labelled]:
    """All sentences to learn from: made up, and those of the corpora, the ones without labels put into templates."""
    plain = [sentence.text for sentence in found if not sentence.spans]
    plain += [*corpora.manual(), *corpora.foreign(config.sentences // _FOREIGN_SHARE, draws)]
    remarks = [*_REMARKS, *(text for text in plain if len(text) in _REMARK_CHARACTERS)]
    with_labels = [sentence for sentence in found if sentence.spans]
    made = sentences.make(
        config.sentences,
        draws,
        invented=config.invented_names,
        remarks=remarks,
        negatives=plain * config.negatives,
    )
    return [*made, *with_labels * config.negatives]


def make_lists(made: list[Labelled], ordinary: list[str]) -> dict[str, list[int]]:
    """Codes of first names, last names, towns and regions, and of words that are common outside of all these.

    Common are words of `ordinary` in small letters, and what stands so in the sentences more than once or twice.
    """
    names, towns = people.read_lists(), places.read_places()
    outside: Counter[str] = Counter()
    for sentence in made:
        found, labels = crf.label(sentence)
        outside.update(word for word, label in zip(found, labels, strict=True) if not label and word.islower())
    lists = {
        "first": names.every(names.first),
        "last": names.every(names.last),
        "city": {word.lower() for town in towns.cities for word in town.split() if len(word) > 2},
        "region": {word.lower() for region in towns.regions for word in region.split() if len(word) > 1},
        "common": {word for word, count in outside.items() if count >= _COMMON_FROM}
        | {word.lower() for found in corpora.foreign_words().values() for word in found}
        | {word for word in ordinary if word.isalpha() and word.islower()},
    }
    return {name: sorted({words.code(word) for word in found}) for name, found in lists.items()}


def serialised(learned: crf.Learned, lists: dict[str, list[int]]) -> bytes:
    """What `llmops.guards.tagger.parse` reads; the table in bytes, 127 for its largest weight."""
    scale = np.float32(np.abs(learned.table).max() / 127)
    tensors: dict[str, NDArray[Any]] = {
        "table": np.round(learned.table / scale).astype(np.int8),
        "scale": np.array([scale], np.float32),
        "transitions": learned.transitions,
        **{f"list.{name}": np.array(codes, np.uint32) for name, codes in lists.items()},
    }
    return bytes(save(tensors))
