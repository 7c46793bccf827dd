"""The way of every question, whichever route it came by: admit, make the job, screen, answer whole or as a stream."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from llmops.errors import AccessUnavailableError
from llmops.governance.access.identity import Identity
from llmops.governance.access.roles import Action
from llmops.guards.refusals import is_refusal
from serving.admission import RETRY_SOON, make_job, refuse_characters
from serving.answers import Answering
from serving.api.dependencies import require
from serving.engines.contract import Piece
from serving.errors import ServiceError
from serving.models import DEPLOYED, Lineup, Model
from serving.schemas import GenerateRequest
from serving.service import Service
from serving.stops import StopFilter

_FINISHED = "gen_ai.response.finish_reasons"
"""Field that only the log line of a complete answer has."""


async def begin(
    body: GenerateRequest, request: Request, service: Service, lineup: Lineup, caller: Identity
) -> Answering:
    """Admit a question; ServiceError says why not. Whoever gets the `Answering` closes it."""
    refuse_characters(body, service.settings)
    if body.model != DEPLOYED:
        require(caller, Action.CHOOSE_MODEL)
    model = lineup.choose(body.model, body.user or body.customer_id or caller.account)
    if model is None:
        raise ServiceError(404, "unknown_model", "no model of that name is served; GET /v1/models lists those that are")
    await _require_budget(service, caller)
    answering = await _prepare(body, request, service, model, caller)
    try:
        # The model reads the question meanwhile; nothing that it says is looked at before the guard has passed it.
        rules = await answering.begun_while(service.guards.screen(body.texts))
    except BaseException:
        for name in [name for name in request.state.log_fields if name.startswith("gen_ai.")]:
            del request.state.log_fields[name]  # it was not the model that failed
        await answering.close()
        raise
    if rules:
        request.state.log_fields["llmops.guard.input"] = rules
    return answering


async def _prepare(
    body: GenerateRequest, request: Request, service: Service, model: Model, caller: Identity
) -> Answering:
    """The answer that a model is to give; it holds a place, and the model."""
    with ExitStack() as held:
        held.enter_context(service.places.one())
        held.enter_context(model.lease())
        if body.customer_id is not None:
            require(caller, Action.READ_CUSTOMER_CONTEXT)
            body = _with_context(body, await service.customers.context(body.customer_id))
        # From here on it is the model that answers or fails.
        request.state.log_fields.update({"gen_ai.request.model": body.model, "gen_ai.response.model": model.version})
        job = await make_job(body, model, service.settings)
        answer_id = service.interactions.make_id(caller, body)
        request.state.log_fields.update(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.max_tokens": job.max_new_tokens,
                "gen_ai.request.temperature": job.temperature,
                "gen_ai.response.id": answer_id,
                "gen_ai.usage.input_tokens": len(job.prompt),
            }
        )
        answering = Answering(
            answer_id,
            job,
            model,
            StopFilter(body.stop),
            service.guards.answer_filter(),
            service.metrics,
            held.pop_all(),
            partial(service.limits.spend, caller),
            partial(service.interactions.record, answer_id, model.version, caller, body),
            service.settings.request_timeout_seconds,
        )
    return answering  # noqa: RET504 - to mypy an ExitStack may swallow what is raised in it, and return nothing


async def _require_budget(service: Service, caller: Identity) -> None:
    """429 for an account whose tokens of the day are spent."""
    try:
        if not await service.limits.has_budget(caller):
            wait = await service.limits.seconds_to_budget(caller)
            raise ServiceError(429, "budget_spent", "the day's tokens are spent", retry_after_seconds=wait)
    except AccessUnavailableError as error:
        raise ServiceError(
            503, "access_unavailable", "the budget cannot be checked now; try again", retry_after_seconds=RETRY_SOON
        ) from error


def _with_context(body: GenerateRequest, found: str) -> GenerateRequest:
    context = "\n".join(text for text in (found, body.context) if text)
    return body.model_copy(update={"context": context or None})


async def whole(answering: Answering, request: Request) -> str:
    """The whole answer, unless it comes too late or nobody listens any more: then generation stops within a token."""

    async def collect() -> str:
        return "".join([piece.text async for piece in answering.pieces()])

    try:
        text: str = await _unless_gone(collect(), request)
        conclude(answering, request, text)
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
        texts = [first.text]
        yield first
        async for piece in pieces:
            texts.append(piece.text)
            yield piece
        conclude(answering, request, "".join(texts))

    async def end() -> None:
        if _FINISHED not in request.state.log_fields:  # the status says 200 all the same
            request.state.log_fields.setdefault("error.type", "client_gone")
        await answering.close()

    return _Events(events(all_pieces()), end)


def conclude(answering: Answering, request: Request, text: str) -> None:
    """Keep a complete answer as its user allows, and add what is known at the end to the request's log line."""
    answering.keep(text)
    has_declined = is_refusal(text)
    request.state.log_fields.update(
        {
            _FINISHED: [answering.finish_reason],
            "gen_ai.usage.output_tokens": answering.completion_tokens,
            "llmops.answer.is_refusal": has_declined,
        }
    )
    if has_declined:
        answering.metrics.refused(answering.model.version)
    if answering.filter.findings:
        request.state.log_fields["llmops.guard.output"] = answering.filter.findings


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
