"""Checks before the first training step: faults that a falling loss would hide."""

from collections import Counter
from collections.abc import Iterator, Sequence

import structlog
import torch

from llmops.errors import TrainingError
from llmops.training.batches import IGNORED, collate
from llmops.training.examples import Example

log = structlog.get_logger()

_BATCH = 64


def check_examples(examples: Sequence[Example], *, end_token: int, vocabulary_size: int) -> None:
    """Look at the very labels that the loss will see, and log their number.

    Raises TrainingError that counts the examples with each fault and says what to do.
    """
    if not examples:
        raise TrainingError("no example to train on; collect more days or lower the held-out shares of `split`")
    whole = [example for example in examples if 0 < example.prompt_tokens < example.tokens]
    faults = Counter({"without a prompt or without an answer": len(examples) - len(whole)})
    for start in range(0, len(whole), _BATCH):
        together = whole[start : start + _BATCH]
        labels = collate(together, torch.device("cpu")).labels.tolist()
        for example, own_labels in zip(together, labels, strict=True):
            faults.update(find_faults(example, own_labels, end_token=end_token, vocabulary_size=vocabulary_size))
    found = ", ".join(f"{count} {fault}" for fault, count in faults.items() if count)
    if found:
        raise TrainingError(
            f"of {len(examples)} examples there are {found}; nothing was trained: run `llmops tokenize` and `llmops "
            "materialize` with --force and with this base model"
        )
    log.info(
        "examples.checked",
        examples=len(examples),
        tokens=sum(example.tokens for example in examples),
        labels=sum(example.tokens - example.prompt_tokens for example in examples),
        longest=max(example.tokens for example in examples),
    )


def find_faults(example: Example, labels: Sequence[int], *, end_token: int, vocabulary_size: int) -> Iterator[str]:
    """What is wrong with an example and its labels (padded, IGNORED where there is no loss)."""
    places = [place for place, label in enumerate(labels) if label != IGNORED]
    if places != list(range(example.prompt_tokens, example.tokens)):
        yield "whose labels are not on the answer alone"
    elif labels[places[-1]] != end_token:
        yield "whose last label is not the model's end token"
    if not all(0 <= token < vocabulary_size for token in example.input_ids):
        yield "with an id outside the model's vocabulary"
