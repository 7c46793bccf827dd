"""The groups by which figures are told, so that a gain on the whole cannot hide a loss somewhere."""

from collections.abc import Sequence
from typing import Any

from llmops import artifacts
from llmops.manifest import Manifest
from llmops.training.examples import Example

_SHORT, _MEDIUM = 32, 64
"""Tokens of a reference answer, its end token included, up to which it counts as short and as medium."""


def group_examples(features: Manifest, examples: Sequence[Example], tokenizer: Any) -> list[dict[str, str]]:
    """Each example's source, length of its reference answer, and whether its prompt has a context."""
    rows = artifacts.read_table(features, columns=["row_id", "source"]).to_pylist()
    sources = {row["row_id"]: row["source"] for row in rows}
    return [
        {
            "source": sources[example.row_id],
            "answer_length": _length(example.tokens - example.prompt_tokens),
            # Text from outside never writes this marker (`annotation.prompts.defuse`).
            "context": "with" if "[Context]\n" in tokenizer.decode(example.prompt) else "without",
        }
        for example in examples
    ]


def _length(tokens: int) -> str:
    return "short" if tokens <= _SHORT else "medium" if tokens <= _MEDIUM else "long"
