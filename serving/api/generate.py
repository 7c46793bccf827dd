"""`POST /generate`: a question in, an answer out, whole or as it is made."""

from collections.abc import AsyncIterator
from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from serving import errors
from serving.answers import Answering
from serving.api.answering import begin, stream, whole
from serving.api.dependencies import GeneratorDep, LineupDep, ServiceDep
from serving.engines.contract import Piece
from serving.errors import ServiceError
from serving.schemas import Body, GenerateRequest, GenerateResponse, Usage

router = APIRouter(tags=["answers"], responses=errors.DOCUMENTED)


class StartEvent(Body):
    """The first event of a streamed answer, once its first token is made; its text may wait for the guards."""

    id: str
    model: str


class TextEvent(Body):
    """The next part of a streamed answer's text."""

    text: str


@router.post(
    "/generate",
    response_model=GenerateResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def generate(
    body: GenerateRequest, request: Request, service: ServiceDep, caller: GeneratorDep, lineup: LineupDep
) -> GenerateResponse | StreamingResponse:
    """Answer a customer's question.

    With `stream`, the answer is a series of server-sent events: `start` (`{"id": …, "model": …}`) with its first token,
    `text` (`{"text": …}`) as often as there is more, then `done` with the same object as without `stream`; or `error`
    with an error in the usual shape.
    """
    answering = await begin(body, request, service, lineup, caller)
    if body.stream:
        return await stream(answering, request, partial(_events, answering, request))
    return _response(answering, await whole(answering, request))


async def _events(answering: Answering, request: Request, pieces: AsyncIterator[Piece]) -> AsyncIterator[str]:
    texts: list[str] = []
    try:
        async for piece in pieces:
            if not texts:
                yield _event("start", StartEvent(id=answering.id, model=answering.model.version))
            texts.append(piece.text)
            if piece.text:
                yield _event("text", TextEvent(text=piece.text))
    except ServiceError as error:
        yield _event("error", errors.body(request.scope, error.kind, error.message))
        return
    yield _event("done", _response(answering, "".join(texts)))


def _event(name: str, content: BaseModel) -> str:
    return f"event: {name}\ndata: {content.model_dump_json()}\n\n"


def _response(answering: Answering, text: str) -> GenerateResponse:
    assert answering.finish_reason is not None  # noqa: S101 - the answer is complete
    return GenerateResponse(
        id=answering.id,
        answer=text,
        model=answering.model.version,
        finish_reason=answering.finish_reason,
        usage=Usage(prompt_tokens=len(answering.job.prompt), completion_tokens=answering.completion_tokens),
    )
