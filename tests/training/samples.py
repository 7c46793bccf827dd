"""Training sets for tests, as `llmops materialize` leaves them, and what else `finetune` reads."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from llmops import artifacts, schemas
from llmops.annotation.prompts import TEMPLATE, chat_messages, encode_answer, encode_prompt
from llmops.features.config import MaterializeConfig
from llmops.manifest import Manifest
from llmops.tokenization.fingerprint import fingerprint_tokenizer
from llmops.training.examples import Example
from llmops.tuning.config import TuneConfig

DAY = date(2026, 3, 2)
SYSTEM = "Answer briefly."
PAIRS = (
    ("Where is my parcel?", "The tracking number is in the shipping message."),
    ("How long does the delivery take?", "Two to four working days."),
    ("Can I return the shoes?", "Yes, within thirty days, unworn and in their box."),
    ("How do I change the address?", "Write to us before the parcel leaves the warehouse."),
    ("Which ways to pay do you take?", "Card, invoice and bank transfer."),
    ("My lamp arrived broken.", "Send a photo of it, we send a new lamp on the same day."),
    ("Do you ship to other countries?", "Yes, to all of Europe."),
    ("Is the jacket warm?", "It is lined with wool."),
    ("When do I get my money back?", "Five days after the return has arrived."),
    ("The voucher does not work.", "A voucher counts once, from twenty euros."),
    ("How can I reach you?", "By message at any time, by phone between nine and five."),
    ("I forgot my password.", "Follow the link on the login page."),
)


def example(row_id: str, prompt: Sequence[int], answer: Sequence[int]) -> Example:
    """An example of given ids; the answer's last one is the end token."""
    return Example(row_id, [*prompt, *answer], len(prompt))


def encode_pairs(tokenizer: Any, pairs: Sequence[tuple[str, str]]) -> list[Example]:
    """Questions and answers as the pipeline tokenises them."""
    return [
        example(
            f"row-{number:02d}",
            encode_prompt(tokenizer, chat_messages(SYSTEM, question)),
            encode_answer(tokenizer, answer),
        )
        for number, (question, answer) in enumerate(pairs)
    ]


def commit_examples(
    target: str, model: Manifest, parts: Mapping[str, Sequence[Example]], tokenizer: str | None = None
) -> Manifest:
    """The features artifact that holds `parts`, whose ids the model's own tokenizer made, if no other is named."""
    made_by = tokenizer or fingerprint_tokenizer(model.files)
    rows = [
        {
            "row_id": f"{part}-{item.row_id}",
            "parents": [f"{part}-{item.row_id}"],
            "source": "faq",
            "event_time": datetime(2026, 3, 2, tzinfo=UTC),
            "part": part,
            "template": TEMPLATE,
            "tokenizer": made_by,
            "input_ids": item.input_ids,
            "attention_mask": [1] * item.tokens,
            "prompt_tokens": item.prompt_tokens,
        }
        for part, examples in parts.items()
        for item in examples
    ]
    attempt = artifacts.begin(
        target, stage="materialize", version=1, config=MaterializeConfig(), inputs=[model], day=DAY
    )
    return attempt.write_table(pa.Table.from_pylist(rows, schema=schemas.TOKENS), schemas.TOKENS).commit()


def commit_features(target: str, model: Manifest) -> Manifest:
    """Eight pairs to train on, two to validate with and two to test with."""
    from transformers import AutoTokenizer  # noqa: PLC0415 - heavy, and not needed by every user of this module

    encoded = encode_pairs(AutoTokenizer.from_pretrained(artifacts.local_folder(model)), PAIRS)
    parts = {"train": encoded[:8], "validation": encoded[8:10], "test": encoded[10:]}
    return commit_examples(target, model, parts)


def commit_tuning(target: str, inputs: Sequence[Manifest], *, learning_rate: float = 1e-2, rank: int = 4) -> Manifest:
    """A search's result, written by hand."""
    attempt = artifacts.begin(target, stage="tune", version=1, config=TuneConfig(), inputs=inputs)
    best = {"learning_rate": learning_rate, "rank": rank, "alpha": 2 * rank, "loss": 1.0, "algorithm": "random search"}
    return attempt.write_bytes("best.json", json.dumps(best).encode()).commit()


def read_json(manifest: Manifest, name: str) -> Any:
    """A JSON file of an artifact."""
    return json.loads(artifacts.read_named(manifest, name))
