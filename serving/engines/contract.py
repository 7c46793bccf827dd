"""What an engine takes and gives. An engine knows no HTTP; the app knows no model library."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from llmops.annotation.prompts import Message

Variant = Literal["champion", "base"]
"""The released adapter on its base model, or the base model alone."""
FinishReason = Literal["stop", "length"]
"""The model closed its turn, or `max_new_tokens` ran out."""


class BusyError(RuntimeError):
    """As many requests run or wait as the engine admits; nothing was queued."""


class EngineDiedError(RuntimeError):
    """The engine is gone, and with it everything that ran; the service cannot answer until it is loaded again."""


@dataclass(frozen=True)
class Job:
    """One answer to generate."""

    prompt: Sequence[int]
    """Token ids of the rendered conversation, never empty."""
    variant: Variant
    max_new_tokens: int
    temperature: float
    """0 means greedy."""
    seed: int
    """Equal jobs with equal seeds get equal answers."""


@dataclass(frozen=True)
class Piece:
    """The next part of an answer, without the prompt."""

    text: str
    """May be empty: a token need not end a character."""
    completion_tokens: int
    """Ids generated so far, the end token included."""
    finish_reason: FinishReason | None
    """Set in the last piece."""


@dataclass(frozen=True)
class EngineStats:
    """How busy an engine is."""

    admitted: int
    """Requests that run or wait."""
    queue_size: int
    """Most that it admits."""


class Engine(Protocol):
    """A loaded model behind a bounded queue."""

    versions: dict[Variant, str]
    """Names of what answers under each variant."""
    context_tokens: int
    """Most tokens that prompt and answer may have together."""

    async def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation up to the assistant's turn, rendered as in training."""

    def stream(self, job: Job) -> AsyncGenerator[Piece, None]:
        """Generate; the pieces' texts add up to the answer, without white space around it.

        Raises BusyError before the first piece when the queue is full, EngineDiedError when the engine is gone. Closing
        the iterator, or cancelling the task that reads it, stops generation within a token.
        """

    def stats(self) -> EngineStats:
        """How busy it is now."""

    def close(self) -> None:
        """End what runs and free everything."""
