"""Answers under way: what the engine gives, within a deadline, as the caller may see it.

An `Answering` holds a place in the queue and a lease on its model until it is closed.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic, time
from typing import TypeVar

from serving.admission import RETRY_SOON, engine_gone
from serving.engines.contract import EngineDiedError, FinishReason, Job, Piece
from serving.errors import ServiceError
from serving.guards import AnswerFilter
from serving.metrics import Metrics
from serving.models import Model
from serving.stops import StopFilter

_Found = TypeVar("_Found")


@dataclass
class Answering:
    """One answer, from admission on."""

    id: str
    job: Job
    model: Model
    stop: StopFilter
    filter: AnswerFilter
    metrics: Metrics
    held: ExitStack
    """What is given back at the end: the place, the lease."""
    spend: Callable[[int], Awaitable[None]]
    """Counts the tokens that the answer cost, also when it was left."""
    keep: Callable[[str], None]
    """Keeps the whole answer, as far as its user allows."""
    timeout_seconds: float
    created: int = field(default_factory=lambda: int(time()))
    """Seconds since the epoch."""
    began: float = field(default_factory=monotonic)
    finish_reason: FinishReason | None = None
    completion_tokens: int = 0

    def __post_init__(self) -> None:
        self._source = self.model.engine.stream(self.job)
        self._first: asyncio.Future[Piece] | None = None

    async def begun_while(self, work: Awaitable[_Found]) -> _Found:
        """What `work` gives, while the engine begins; `close` ends that if the answer is not wanted after all."""
        self._first = asyncio.ensure_future(anext(self._source))
        await asyncio.sleep(0)  # so that the job is on its way when the work takes the event loop
        return await work

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """The answer as it comes, a piece for each of the engine's, some without text.

        Raises ServiceError when it comes too late, or not at all.
        """
        first: float | None = None
        deadline = asyncio.get_running_loop().time() + self.began + self.timeout_seconds - monotonic()
        while self.finish_reason is None:
            piece = await self._next(deadline)
            first = first or monotonic()
            text, is_stopped = self.stop.feed(piece.text, is_last=piece.finish_reason is not None)
            self.completion_tokens = piece.completion_tokens
            self.finish_reason = "stop" if is_stopped else piece.finish_reason
            text = self.filter.feed(text, is_last=self.finish_reason is not None)
            yield Piece(text, piece.completion_tokens, self.finish_reason)
        self.metrics.answered(
            self.model.version,
            prompt_tokens=len(self.job.prompt),
            completion_tokens=self.completion_tokens,
            first_seconds=(first or monotonic()) - self.began,
            seconds=monotonic() - self.began,
        )

    async def close(self) -> None:
        """Stop generating and give back what is held."""
        try:
            if self._first is not None:  # nobody has asked for it
                self._first.cancel()
                await asyncio.gather(self._first, return_exceptions=True)
            await self._source.aclose()
            if self.completion_tokens:
                await self.spend(len(self.job.prompt) + self.completion_tokens)
        finally:
            self.held.close()

    async def _next(self, deadline: float) -> Piece:
        try:
            async with asyncio.timeout_at(deadline):
                first, self._first = self._first, None
                return await (first or anext(self._source))
        except TimeoutError as error:
            raise ServiceError(
                503,
                "timeout",
                f"no answer within {self.timeout_seconds:g} seconds; try again later, or ask for a shorter answer",
                retry_after_seconds=RETRY_SOON,
            ) from error
        except EngineDiedError as error:
            raise engine_gone() from error
