"""Examples to token ids: ragged, unpadded, never cut."""

from collections.abc import Iterable, Iterator, Mapping
from time import monotonic
from typing import Any

import structlog
from jinja2 import TemplateError

from llmops.annotation.prompts import encode_answer, encode_prompt
from llmops.errors import TrainingError

Row = dict[str, Any]
log = structlog.get_logger()

_SECONDS_BETWEEN_REPORTS = 10.0


def encode_examples(tokenizer: Any, fingerprint: str, examples: Iterable[Row]) -> Iterator[Row]:
    """Rows of schemas.TOKENS, one for each pair among rows of schemas.SPLIT, in their order.

    `tokenizer` is a transformers tokenizer. The prompt's ids are those that serving would send to the model.
    Raises TrainingError when the chat template refuses the conversation.
    """
    started, done = monotonic(), 0
    for example in examples:
        if not example["is_pair"]:
            continue
        yield _encode(tokenizer, fingerprint, example)
        done += 1
        if monotonic() - started > _SECONDS_BETWEEN_REPORTS:
            started = monotonic()
            log.info("examples.encoded", done=done)


def reason_to_set_aside(row: Row, max_tokens: int) -> tuple[str, str] | None:
    """Rule and reason why a row of schemas.TOKENS cannot be trained on, or None when it can."""
    tokens = len(row["input_ids"])
    if tokens > max_tokens:
        return "too_long", f"{tokens} tokens, more than the {max_tokens} of tokenize.max_tokens; it is not cut"
    if tokens - row["prompt_tokens"] < 2:
        return "empty_answer", "the answer has no token but the end token"
    return None


def _encode(tokenizer: Any, fingerprint: str, example: Mapping[str, Any]) -> Row:
    *conversation, answer = example["messages"]
    try:
        prompt_ids = encode_prompt(tokenizer, conversation)
    except TemplateError as error:
        raise TrainingError(
            f"the model's chat template refuses a conversation of {' and '.join(item['role'] for item in conversation)}"
            f" ({error}); take a model whose template knows these roles"
        ) from error
    input_ids = [*prompt_ids, *encode_answer(tokenizer, answer["content"])]
    return {
        "row_id": example["row_id"],
        "parents": [example["row_id"]],
        "source": example["source"],
        "event_time": example["event_time"],
        "part": example["part"],
        "template": example["template"],
        "tokenizer": fingerprint,
        "input_ids": input_ids,
        "attention_mask": [1] * len(input_ids),
        "prompt_tokens": len(prompt_ids),
    }
