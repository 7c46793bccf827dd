"""Which examples meet in one optimizer step, and how they become tensors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from llmops.training.examples import Example

IGNORED = -100
"""Label of positions that carry no loss."""
_BATCHES_PER_POOL = 16


@dataclass(frozen=True)
class Batch:
    """Examples of one forward pass, padded on the right to the longest."""

    input_ids: torch.Tensor
    """int64 [batch, sequence]; 0 in the padding, whatever token that is. No attention mask goes with it: attention is
    causal, so nothing real ever looks at padding on its right, and without a mask the fast kernels run."""
    labels: torch.Tensor
    """int64 [batch, sequence]: the ids of answer and end token, IGNORED on prompt and padding. The padding is known by
    length, never by its id: where padding and end token share an id, the end token would not be learnt."""


def collate(examples: Sequence[Example], device: torch.device) -> Batch:
    """Pad examples into one batch on `device`."""
    width = max(example.tokens for example in examples)
    input_ids = torch.zeros(len(examples), width, dtype=torch.int64)
    labels = torch.full((len(examples), width), IGNORED, dtype=torch.int64)
    for row, example in enumerate(examples):
        ids = torch.tensor(example.input_ids, dtype=torch.int64)
        input_ids[row, : example.tokens] = ids
        labels[row, example.prompt_tokens : example.tokens] = ids[example.prompt_tokens :]
    return Batch(input_ids.to(device), labels.to(device))


def plan_steps(
    examples: Sequence[Example], *, batch_size: int, max_tokens: int, max_epochs: int, seed: int
) -> list[list[Example]]:
    """The examples of every optimizer step, in order: as many steps as `max_tokens` real tokens pay for.

    The first step is taken whatever it costs. Each epoch visits every example once, shuffled; examples of similar
    length share a step, to spare padding. Equal arguments give equal plans.
    """
    generator = np.random.default_rng(seed)
    steps: list[list[Example]] = []
    tokens = 0
    for _ in range(max_epochs):
        for batch in _shuffle(examples, batch_size, generator):
            tokens += count_tokens(batch)
            if steps and tokens > max_tokens:
                return steps
            steps.append(batch)
    return steps


def split_batch(examples: Sequence[Example], max_tokens: int) -> Iterator[list[Example]]:
    """Shares of `examples`, shortest first, that hold at most `max_tokens` once padded, or one longer example each."""
    share: list[Example] = []
    for example in sorted(examples, key=_by_length):
        if share and (len(share) + 1) * example.tokens > max_tokens:
            yield share
            share = []
        share.append(example)
    if share:
        yield share


def count_tokens(examples: Sequence[Example]) -> int:
    """Real tokens, prompts included."""
    return sum(example.tokens for example in examples)


def _shuffle(examples: Sequence[Example], batch_size: int, generator: np.random.Generator) -> list[list[Example]]:
    """One epoch: random pools, sorted by length within, cut into batches that are shuffled again."""
    order = [examples[index] for index in generator.permutation(len(examples))]
    pool_size = batch_size * _BATCHES_PER_POOL
    batches = []
    for start in range(0, len(order), pool_size):
        pool = sorted(order[start : start + pool_size], key=_by_length)
        batches += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    return [batches[index] for index in generator.permutation(len(batches))]


def _by_length(example: Example) -> tuple[int, str]:
    return example.tokens, example.row_id
