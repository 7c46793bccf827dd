"""The training loop: AdamW with warm-up and half-cosine decay, gradients accumulated and clipped."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from llmops.errors import TrainingError
from llmops.training.batches import collate, count_tokens, split_batch
from llmops.training.config import FinetuneConfig
from llmops.training.examples import Example
from llmops.training.loss import answer_losses
from llmops.training.progress import Progress


@dataclass(frozen=True)
class History:
    """What a training run did."""

    losses: list[float]
    """Mean loss of each step, in nats for each answer token, before its update."""
    tokens: int
    """Real tokens, prompts included."""
    tokens_per_second: float


def train(model: Any, steps: Sequence[Sequence[Example]], config: FinetuneConfig) -> History:
    """Train the parameters that require gradients, one optimizer step for each of `steps`.

    Raises TrainingError as soon as a loss is no longer a finite number.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, len(steps), config.warmup_share)
    )
    progress = Progress("training.progressed", total=sum(map(count_tokens, steps)), unit="tokens")
    losses: list[float] = []
    done = 0
    for step in steps:
        losses.append(accumulate_gradients(model, step, config.micro_batch_tokens))
        if not math.isfinite(losses[-1]):
            raise TrainingError(
                f"the loss of step {len(losses)} is {losses[-1]} at learning rate {config.learning_rate:g}; lower "
                "`learning_rate` (with `tune`: learning_rate_high) or raise `warmup_share`"
            )
        torch.nn.utils.clip_grad_norm_(trained, config.max_gradient_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        done += count_tokens(step)
        progress.report(done, loss=round(losses[-1], 4), step=f"{len(losses)}/{len(steps)}")
    return History(losses, done, progress.pace(done))


def accumulate_gradients(model: Any, examples: Sequence[Example], micro_batch_tokens: int) -> float:
    """Add the gradients of the examples' mean loss for each answer token, and return that loss.

    Every token counts alike, however the examples are divided into passes.
    """
    labels = sum(example.tokens - example.prompt_tokens for example in examples)
    total = 0.0
    for share in split_batch(examples, micro_batch_tokens):
        losses, _ = answer_losses(model, collate(share, model.device))
        loss = losses.sum() / labels
        loss.backward()  # type: ignore[no-untyped-call] # torch leaves it without types
        total += loss.item()
    return total


def learning_rate_factor(step: int, steps: int, warmup_share: float) -> float:
    """Share of the peak learning rate at `step` (from 0): a linear rise, then a half cosine towards zero."""
    warmup = math.ceil(steps * warmup_share)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))
