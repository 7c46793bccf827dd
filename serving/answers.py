"""Answers as clients get them, made of the pieces that an engine gives."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from serving.engines.contract import FinishReason, Piece


@dataclass(frozen=True)
class Answer:
    """What was generated, without the prompt."""

    text: str
    finish_reason: FinishReason
    completion_tokens: int
    """Generated ids, the end token included."""


async def collect(pieces: AsyncGenerator[Piece, None]) -> Answer:
    """The whole answer."""
    texts: list[str] = []
    async with aclosing(pieces) as stream:
        async for piece in stream:
            texts.append(piece.text)
            if piece.finish_reason is not None:
                return Answer("".join(texts), piece.finish_reason, piece.completion_tokens)
    raise RuntimeError("the engine ended an answer without a finish reason")
