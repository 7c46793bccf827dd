"""Names of people and postal addresses: a small linear tagger over hashed features.

The weights come from `llmops train-tagger`; the card beside them says from what. Inference is NumPy alone: a text
takes well below a millisecond. Not covered: scripts without spaces between words, and what only the meaning tells (a
firm that is called as its founder is).
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from llmops.guards import words
from llmops.guards.spans import Span

LABELS = ("O", "B-PERSON", "I-PERSON", "B-ADDRESS", "I-ADDRESS")
_OUTSIDE = 0
_FAR = 4.0
"""A word whose best label is worse than none by more than this is outside, whatever its neighbours are."""
_LONGEST_SCANNED = 4096  # words that are looked at together


class Weights(NamedTuple):
    """What a tagger has learned."""

    table: NDArray[np.float32]
    """[buckets, labels]"""
    transitions: NDArray[np.float32]
    """[labels, labels]: from, to."""
    describer: words.Describer


def find(text: str) -> list[Span]:
    """Names and addresses in a text, in order, without overlaps."""
    return tag(text, _shipped())


def tag(text: str, weights: Weights) -> list[Span]:
    """Names and addresses in a text, as these weights see them."""
    spans: list[Span] = []
    places = words.split(text)
    for first in range(0, len(places), _LONGEST_SCANNED):
        part = places[first : first + _LONGEST_SCANNED]
        if part:
            spans += _tag(text, part, weights)
    return spans


def parse(data: bytes) -> Weights:
    """Weights from the bytes of a safetensors file (`serialised` in the training stage)."""
    tensors: dict[str, NDArray[Any]] = load(data)
    lists = {name: tensors[f"list.{name}"].tolist() for name in words.LISTS if f"list.{name}" in tensors}
    table = tensors["table"].astype(np.float32) * tensors["scale"].astype(np.float32)
    return Weights(table, tensors["transitions"].astype(np.float32), words.Describer(lists))


@cache
def _shipped() -> Weights:
    return parse((files("llmops.guards") / "weights" / "tagger.safetensors").read_bytes())


def _tag(text: str, places: Sequence[tuple[int, int]], weights: Weights) -> Iterator[Span]:
    found = [text[start:end] for start, end in places]
    features = weights.describer.features(found, len(weights.table))
    scores = weights.table[features].sum(axis=1)
    gains = scores[:, 1:].max(axis=1) - scores[:, _OUTSIDE]
    near = (gains > -_FAR).nonzero()[0]
    if not len(near):
        return
    near = near[[words.is_word(found[index]) for index in near]]
    has_capitals = any(word[:1].isupper() for word in found)
    for run in np.split(near, (np.diff(near) > 1).nonzero()[0] + 1):
        if not len(run):
            continue
        labels = _best_path(scores[run], weights.transitions)
        for first, last, kind in _entities(labels):
            inside = run[first:last]
            name = [found[index] for index in inside]
            if kind == "PERSON" and has_capitals and not _may_be_name(name, weights.describer):
                continue
            score = 1 / (1 + np.exp(-float(gains[inside].mean())))
            yield Span(places[inside[0]][0], places[inside[-1]][1], kind, round(min(0.99, float(score)), 3))


def _may_be_name(name: Sequence[str], describer: words.Describer) -> bool:
    """Whether it has a capital, or somebody is called so: where capitals are used, other small words are no names."""
    return any(word[:1].isupper() or describer.is_on_a_name_list(word) for word in name)


def _best_path(scores: NDArray[np.float32], transitions: NDArray[np.float32]) -> list[int]:
    """The labels of the best path (Viterbi), from and to words that are outside."""
    moves, steps = transitions.tolist(), scores.tolist()
    labels = range(len(LABELS))
    best = [moves[_OUTSIDE][label] + steps[0][label] for label in labels]
    back: list[list[int]] = []
    for step in steps[1:]:
        came = [max(labels, key=lambda old, new=label: best[old] + moves[old][new]) for label in labels]  # type: ignore[misc]
        best = [best[came[label]] + moves[came[label]][label] + step[label] for label in labels]
        back.append(came)
    path = [max(labels, key=lambda label: best[label] + moves[label][_OUTSIDE])]
    for came in reversed(back):
        path.append(came[path[-1]])
    return path[::-1]


def _entities(labels: Sequence[int]) -> Iterator[tuple[int, int, str]]:
    """First word, word after the last, and kind of each entity of a path."""
    first = 0
    while first < len(labels):
        kind = LABELS[labels[first]][2:]
        last = first + 1
        while last < len(labels) and LABELS[labels[last]] == f"I-{kind}":
            last += 1
        if kind:
            yield first, last, kind
        first = last
