"""What an engine takes and gives. An engine knows no HTTP and no limits; the app knows no model library.

A module in `serving.engines` is an engine when it has `async def start(base, options) -> Engine`. An engine holds one
base model and any number of releases made from it; how many answers it makes at once is its own business.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from llmops.annotation.prompts import Message

FinishReason = Literal["stop", "length"]
"""The model closed its turn, or `max_new_tokens` ran out."""
PROBE = "How long does the delivery take?"
"""The question by which an engine proves that an adapter is applied: it must change what the model says."""


class EngineDiedError(RuntimeError):
    """The engine is gone, and with it everything that ran; the service cannot answer until it is loaded again."""


@dataclass(frozen=True)
class BaseModel:
    """The base model that releases are made from."""

    weights: Path
    """Folder in transformers' layout, safetensors."""
    tokenizer: Path
    """Folder of the tokenizer that the releases were trained with."""
    signed: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each of the weights' files, where nobody has checked them yet: whoever loads them does."""


@dataclass(frozen=True)
class Adapter:
    """A release, ready to be loaded onto its base model."""

    version: str
    folder: Path
    """LoRA adapter in peft's layout."""
    system: str
    """System message it was trained with."""


@dataclass(frozen=True)
class EngineOptions:
    """How an engine uses the machine; each takes what concerns it."""

    threads: int | None = None
    """CPU threads; as many as the library thinks right, if not given."""
    cache_gib: int = 1
    """Memory for the key-value cache of each model on the CPU."""
    gpu_cache_gib: int | None = None
    """Memory for it on each GPU; all that is free, if not given."""
    tensor_parallel: int = 1
    """GPUs that share one model."""
    quantization: Literal["none", "fp8"] = "none"
    """Weights of the base model on the GPU: bfloat16 as they are, or 8 bits."""
    socket: Path | None = None
    """Where an engine in another process listens."""
    tokenizer_socket: Path | None = None
    """Where a process that only tokenises listens."""
    own_tokenizer: bool = False
    """Whether a process whose engine is in another one tokenises by itself."""
    lora_rank: int = 16
    """Highest rank of an adapter on the GPU; room is kept for it, so a higher one makes every answer slower."""
    speculative_tokens: int = 0
    """Tokens that a GPU engine guesses at once from what stands in the prompt; 0 for none."""


@dataclass(frozen=True)
class Job:
    """One answer to generate."""

    prompt: Sequence[int]
    """Token ids of the rendered conversation, never empty."""
    version: str | None
    """The release that answers; None for the base model alone."""
    max_new_tokens: int
    temperature: float
    """0 means greedy."""
    seed: int
    """Equal jobs with equal seeds get equal answers."""
    top_p: float = 1.0
    """Sample from the likeliest tokens that together have this probability."""
    is_streamed: bool = True
    """Whether somebody reads the pieces as they come; if not, an engine may give them all at once."""


@dataclass(frozen=True)
class Tokens:
    """Ids that a model has generated since it was last asked."""

    ids: list[int]
    finish_reason: FinishReason | None = None
    """Set in the last ones."""


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

    running: int
    """Jobs that have begun and not ended, those that wait for their turn included."""
    is_alive: bool = True
    """Whether it can still answer; an engine that cannot does not come back."""


class Engine(Protocol):
    """A loaded base model and the releases on it. All of it belongs to one event loop."""

    context_tokens: int
    """Most tokens that prompt and answer may have together."""

    async def add(self, adapter: Adapter) -> None:
        """Load a release beside those that are served; answers under way go on.

        Raises CorruptArtifactError when it changes nothing, ConfigurationError when the engine cannot serve it.
        """

    async def remove(self, version: str) -> None:
        """Let go of a release on which no job runs any more."""

    async def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation up to the assistant's turn, rendered as in training."""

    def tokens(self, job: Job) -> AsyncGenerator[Tokens, None]:
        """Generate, for somebody who decodes by himself.

        Raises EngineDiedError when the engine is gone. Closing the iterator, or cancelling the task that reads it,
        stops generation within a token.
        """

    def stream(self, job: Job) -> AsyncGenerator[Piece, None]:
        """The same as text; the pieces' texts add up to the answer, without white space around it."""

    def stats(self) -> EngineStats:
        """How busy it is now."""

    async def close(self) -> None:
        """End what runs and free everything."""
