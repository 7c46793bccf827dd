"""No model at all: what `python -m serving.processes.engine --tokenizer-only` serves."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from llmops.annotation.prompts import Message
from serving.engines.contract import Adapter, BaseModel, EngineOptions, EngineStats, Job, Piece, Tokens
from serving.engines.encoding import Encoder
from serving.engines.pieces import decoded


async def start(base: BaseModel, _: EngineOptions) -> "TokenizerOnly":
    """Load the tokenizer."""
    return TokenizerOnly(await asyncio.to_thread(Encoder, base))


class TokenizerOnly:
    """Encodes; generates nothing."""

    def __init__(self, encoder: Encoder) -> None:
        self.context_tokens = encoder.context_tokens
        self._encoder = encoder

    async def add(self, _: Adapter) -> None:
        """Nothing: releases on one base model share its tokenizer."""

    async def remove(self, _: str) -> None:
        """Nothing."""

    async def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation up to the assistant's turn, rendered as in training."""
        return await self._encoder.encode(messages)

    def decode(self, tokens: AsyncGenerator[Tokens, None]) -> AsyncGenerator[Piece, None]:
        """The text of ids that were generated elsewhere."""
        return decoded(tokens, self._encoder.tokenizer)

    async def tokens(self, _: Job) -> AsyncGenerator[Tokens, None]:
        """Raises RuntimeError: ask the engine's process."""
        raise RuntimeError("this process only tokenises")
        yield  # makes it a generator

    def stream(self, job: Job) -> AsyncGenerator[Piece, None]:
        """The same as text."""
        return self.decode(self.tokens(job))

    def stats(self) -> EngineStats:
        """Nothing runs here."""
        return EngineStats(0)

    async def close(self) -> None:
        """End the thread."""
        self._encoder.close()
