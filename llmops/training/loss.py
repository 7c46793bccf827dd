"""The loss: negative log likelihood of the answer and its end token, given the prompt."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from llmops.training.batches import IGNORED, Batch, collate, split_batch
from llmops.training.examples import Example
from llmops.training.progress import Progress

_TOKENS_PER_PASS = 1024
"""Padded tokens of a pass without gradients: logits of 1,024 positions take 0.2 GB at 49,152 tokens of vocabulary."""


def answer_losses(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Summed loss in nats (float32 [batch]) and number of labels (int64 [batch]) of each example.

    Logits are computed only from the first position that predicts a label on.
    """
    first = int((batch.labels != IGNORED).any(dim=0).nonzero()[0])
    predicting = torch.arange(first - 1, batch.labels.shape[1] - 1, device=batch.labels.device)
    logits = model(input_ids=batch.input_ids, logits_to_keep=predicting, use_cache=False).logits
    targets = batch.labels[:, first:]
    losses = cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="none"
    ).view_as(targets)
    return losses.sum(dim=1), (targets != IGNORED).sum(dim=1)


@torch.no_grad()
def measure_losses(model: Any, examples: Sequence[Example]) -> list[float]:
    """Summed loss in nats of each example, in the order given."""
    found: dict[str, float] = {}
    progress = Progress("examples.scored", total=len(examples), unit="examples")
    for share in split_batch(examples, _TOKENS_PER_PASS):
        losses, _ = answer_losses(model, collate(share, model.device))
        found.update(zip((example.row_id for example in share), losses.tolist(), strict=True))
        progress.report(len(found))
    return [found[example.row_id] for example in examples]


def measure_mean_loss(model: Any, examples: Sequence[Example]) -> float:
    """Mean loss in nats for each answer token, end tokens included."""
    labels = sum(example.tokens - example.prompt_tokens for example in examples)
    return sum(measure_losses(model, examples)) / labels
