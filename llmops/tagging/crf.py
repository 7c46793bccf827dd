"""A linear-chain conditional random field over hashed features, trained on the likelihood of whole label sequences.

Lafferty, McCallum, Pereira: Conditional Random Fields (ICML 2001).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import structlog
import torch
from numpy.typing import NDArray

from llmops.guards import words
from llmops.guards.tagger import LABELS
from llmops.tagging.sentences import Labelled

_BATCH = 256
_LONGEST = 120  # words of a sentence that are learned from
_NEVER = -8.0  # transition into the middle of an entity from elsewhere
log = structlog.get_logger()


@dataclass(frozen=True)
class Learned:
    """float32 weights: table [buckets, labels], transitions [labels, labels] (from, to)."""

    table: NDArray[np.float32]
    transitions: NDArray[np.float32]


def label(sentence: Labelled) -> tuple[list[str], list[int]]:
    """Words of a sentence and the label of each (place in `LABELS`); a word that a span cuts belongs to it."""
    places = words.split(sentence.text)[:_LONGEST]
    labels = [0] * len(places)
    for span in sentence.spans:
        inside = [index for index, (start, end) in enumerate(places) if start < span.end and end > span.start]
        inside = [
            index for index in inside if sentence.text[places[index][0]] != "\n" or inside[0] < index < inside[-1]
        ]
        for position, index in enumerate(inside):
            labels[index] = LABELS.index(f"{'I' if position else 'B'}-{span.type}")
    return [sentence.text[start:end] for start, end in places], labels


def train(
    sentences: Sequence[Labelled],
    describer: words.Describer,
    *,
    buckets: int,
    epochs: int,
    learning_rate: float,
    seed: int,
) -> Learned:
    """Learn from labelled sentences; deterministic on one machine with one number of threads."""
    generator = torch.Generator().manual_seed(seed)
    features, labels = [], []
    for sentence in sentences:
        found, gold = label(sentence)
        if found:
            features.append(torch.from_numpy(describer.features(found, buckets).astype(np.int32)))
            labels.append(torch.tensor(gold))
    table = torch.nn.EmbeddingBag(buckets, len(LABELS), mode="sum")
    torch.nn.init.zeros_(table.weight)
    transitions = torch.nn.Parameter(_allowed().clone())
    optimizer = torch.optim.Adagrad([table.weight, transitions], lr=learning_rate)
    for epoch in range(epochs):
        total = 0.0
        order = torch.randperm(len(features), generator=generator).tolist()
        for first in range(0, len(order), _BATCH):
            batch = order[first : first + _BATCH]
            loss = _loss(table, transitions, [features[i] for i in batch], [labels[i] for i in batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        log.info("tagger.epoch_done", epoch=epoch + 1, loss=round(total / len(order), 4))
    return Learned(table.weight.detach().numpy(), transitions.detach().numpy())


def _allowed() -> torch.Tensor:
    moves = torch.zeros(len(LABELS), len(LABELS))
    for new, name in enumerate(LABELS):
        if name.startswith("I-"):
            for old, before in enumerate(LABELS):
                if before[2:] != name[2:]:
                    moves[old, new] = _NEVER
    return moves


def _loss(
    table: torch.nn.EmbeddingBag, transitions: torch.Tensor, features: list[torch.Tensor], labels: list[torch.Tensor]
) -> torch.Tensor:
    """Mean negative log likelihood of the label sequences, each from and to the outside."""
    scores = table(torch.cat(features))
    lengths = torch.tensor([len(gold) for gold in labels])
    padded = torch.nn.utils.rnn.pad_sequence(list(scores.split(lengths.tolist())), batch_first=True)
    gold = torch.nn.utils.rnn.pad_sequence(labels, batch_first=True)
    steps = padded.shape[1]
    is_word = torch.arange(steps)[None] < lengths[:, None]
    path = (padded.gather(2, gold[:, :, None])[:, :, 0] * is_word).sum(1) + transitions[0, gold[:, 0]]
    path = path + (transitions[gold[:, :-1], gold[:, 1:]] * is_word[:, 1:]).sum(1)
    path = path + transitions[gold[torch.arange(len(gold)), lengths - 1], 0]
    alpha = transitions[0][None] + padded[:, 0]
    for step in range(1, steps):
        moved = torch.logsumexp(alpha[:, :, None] + transitions[None], 1) + padded[:, step]
        alpha = torch.where(is_word[:, step, None], moved, alpha)
    return (torch.logsumexp(alpha + transitions[None, :, 0], 1) - path).mean()
