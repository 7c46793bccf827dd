"""The tokenizer's part of every engine: conversations to ids beside the event loop, and which ids end an answer."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer, GenerationConfig

from llmops.annotation import prompts
from llmops.annotation.prompts import Message
from serving.engines.contract import PROBE, BaseModel

_ENCODED_IN_LINE = 2_000
"""Characters that are encoded on the event loop, in less time than a thread takes to be woken; more goes to one."""


class Encoder:
    """A release's tokenizer with a thread of its own."""

    def __init__(self, base: BaseModel) -> None:
        self.tokenizer: Any = AutoTokenizer.from_pretrained(
            base.tokenizer, local_files_only=True, trust_remote_code=False
        )
        self.ends = _end_ids(base.weights, self.tokenizer)
        """Ids that end an answer: the tokenizer's end token, which training taught, and the base model's own."""
        config = AutoConfig.from_pretrained(base.weights, local_files_only=True, trust_remote_code=False)
        self.context_tokens: int = config.get_text_config().max_position_embeddings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encode")

    async def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation up to the assistant's turn, rendered as in training."""
        if sum(len(message["content"]) for message in messages) <= _ENCODED_IN_LINE:
            return prompts.encode_prompt(self.tokenizer, messages)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, prompts.encode_prompt, self.tokenizer, messages)

    def probe(self, system: str) -> list[int]:
        """The prompt by which an engine proves that an adapter is applied."""
        return prompts.encode_prompt(self.tokenizer, prompts.chat_messages(system, PROBE))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()


def _end_ids(weights: Path, tokenizer: Any) -> list[int]:
    own = GenerationConfig.from_pretrained(weights, local_files_only=True).eos_token_id
    return sorted({tokenizer.eos_token_id, *(own if isinstance(own, list) else [own] if own is not None else [])})
