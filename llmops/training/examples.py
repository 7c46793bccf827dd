"""Tokenised examples as training and evaluation read them."""

from dataclasses import dataclass

import pyarrow.compute as pc

from llmops import artifacts
from llmops.errors import TrainingError
from llmops.manifest import Manifest
from llmops.tokenization.fingerprint import fingerprint_tokenizer


@dataclass(frozen=True)
class Example:
    """Prompt, answer and end token, unpadded."""

    row_id: str
    input_ids: list[int]
    prompt_tokens: int
    """Leading ids that carry no loss; the rest is the answer with its end token."""

    @property
    def tokens(self) -> int:
        """Prompt and answer together."""
        return len(self.input_ids)

    @property
    def prompt(self) -> list[int]:
        """What the model sees before it answers."""
        return self.input_ids[: self.prompt_tokens]

    @property
    def answer(self) -> list[int]:
        """What it should answer, without the end token."""
        return self.input_ids[self.prompt_tokens : -1]


def read_examples(features: Manifest, part: str, limit: int | None = None) -> list[Example]:
    """The examples of one part (train, validation or test) by row id, at most `limit` of them."""
    columns = ["row_id", "part", "input_ids", "prompt_tokens"]
    table = artifacts.read_table(features, columns=columns)
    chosen = table.filter(pc.equal(table["part"], part)).sort_by("row_id").drop_columns(["part"])
    return [Example(**row) for row in chosen.slice(0, limit).to_pylist()]


def check_tokenizer(features: Manifest, model: Manifest) -> None:
    """Raise TrainingError unless every row was tokenised by the model's own tokenizer."""
    made_by = set(artifacts.read_table(features, columns=["tokenizer"])["tokenizer"].to_pylist())
    own = fingerprint_tokenizer(model.files)
    if made_by - {own}:
        raise TrainingError(
            f"{features.uri}: {len(made_by - {own})} of the tokenizers that made its ids are not that of {model.uri}, "
            "to which the ids mean something else; run `llmops tokenize` and `llmops materialize` with this model"
        )
