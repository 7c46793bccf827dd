"""What an engine takes and gives. An engine knows no HTTP; the app knows no model library."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from llmops.annotation.prompts import Message

Variant = Literal["champion", "base"]
"""The released adapter on its base model, or the base model alone."""


class BusyError(RuntimeError):
    """As many requests run or wait as the engine admits; nothing was queued."""


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
    """Equal jobs with equal seeds give equal answers."""


@dataclass(frozen=True)
class Answer:
    """What was generated, without the prompt."""

    text: str
    finish_reason: Literal["stop", "length"]
    """The model closed its turn, or `max_new_tokens` ran out."""
    completion_tokens: int
    """Generated ids, the end token included."""


class Engine(Protocol):
    """A loaded model behind a bounded queue."""

    versions: dict[Variant, str]
    """Names of what answers under each variant."""
    context_tokens: int
    """Most tokens that prompt and answer may have together."""

    async def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation up to the assistant's turn."""

    async def answer(self, job: Job) -> Answer:
        """Generate; raises BusyError when the queue is full. Cancelling it stops generation within a token."""

    def close(self) -> None:
        """Finish what runs and free the worker."""
