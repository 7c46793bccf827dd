"""The way of every question, whichever route it came by: admit, make the job, answer whole or as a stream."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from serving.admission import make_job, refuse_characters
from serving.answers import Answering
from serving.engines.contract import Piece
from serving.errors import ServiceError
from serving.models import Lineup
from serving.schemas import GenerateRequest
from serving.service import Service
from serving.stops import StopFilter


async def begin(body: GenerateRequest, request: Request, service: Service, lineup: Lineup) -> Answering:
    """Admit a question; ServiceError says why not. Whoever gets the `Answering` closes it."""
    request_id = str(request.state.request_id)
    refuse_characters(body, service.settings)
    model = lineup.choose(body.model, body.user or "")
    if model is None:
        raise ServiceError(404, "unknown_model", "no model of that name is served; GET /v1/models lists those that are")
    with ExitStack() as held:
        held.enter_context(service.places.one())
        held.enter_context(model.lease())
        job = await make_job(body, model, service.settings)
        request.state.log_fields.update(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": body.model,
                "gen_ai.request.max_tokens": job.max_new_tokens,
                "gen_ai.request.temperature": job.temperature,
                "gen_ai.response.model": model.version,
                "gen_ai.response.id": request_id,
                "gen_ai.usage.input_tokens": len(job.prompt),
            }
        )
        return Answering(
            request_id,
            job,
            model,
            StopFilter(body.stop),
            service.metrics,
            held.pop_all(),
            service.settings.request_timeout_seconds,
        )
    raise AssertionError("unreachable")


async def whole(answering: Answering, request: Request) -> str:
    """The whole answer, unless it comes too late or nobody listens any more: then generation stops within a token."""

    async def collect() -> str:
        return "".join([piece.text async for piece in answering.pieces()])

    try:
        text: str = await _unless_gone(collect(), request)
        log_answer(answering, request)
        return text
    finally:
        await answering.close()


async def stream(
    answering: Answering, request: Request, events: Callable[[AsyncIterator[Piece]], AsyncIterator[str]]
) -> StreamingResponse:
    """The answer as server-sent events, once its first piece is there: what fails before has a status of its own."""
    pieces = answering.pieces()
    try:
        first = await _unless_gone(anext(pieces), request)
    except BaseException:
        await answering.close()
        raise

    async def all_pieces() -> AsyncIterator[Piece]:
        yield first
        async for piece in pieces:
            yield piece
        log_answer(answering, request)

    return _Events(events(all_pieces()), answering.close)


def log_answer(answering: Answering, request: Request) -> None:
    """Add what is known at the end to the request's log line."""
    request.state.log_fields.update(
        {
            "gen_ai.response.finish_reasons": [answering.finish_reason],
            "gen_ai.usage.output_tokens": answering.completion_tokens,
        }
    )


class _Events(StreamingResponse):
    """A stream of events that calls `on_end` however it ends, also when it never began."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], on_end: Callable[[], Awaitable[None]]) -> None:
        super().__init__(events, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._on_end()


async def _unless_gone(work: Any, request: Request) -> Any:
    """The result of `work`, which is cancelled when the client closes the connection."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_until_disconnected(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ServiceError(499, "client_gone", "the client closed the connection")
    finally:
        leaving.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})


async def _until_disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
