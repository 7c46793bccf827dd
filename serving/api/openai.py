"""The routes that clients of OpenAI's API know (https://platform.openai.com/docs/api-reference), on the same models."""

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from llmops.governance.access.roles import Action
from serving import errors
from serving.answers import Answering
from serving.api.answering import begin, stream, whole
from serving.api.dependencies import GeneratorDep, LineupDep, ServiceDep, allowed
from serving.api.openai_schemas import ChatRequest, CompletionRequest, ModelCard, ModelList
from serving.engines.contract import Piece
from serving.errors import ServiceError
from serving.models import DEPLOYED
from serving.schemas import GenerateRequest

router = APIRouter(prefix="/v1", tags=["OpenAI's API"], responses=errors.DOCUMENTED)
Kind = Literal["chat.completion", "text_completion"]


@router.get("/models", dependencies=[Depends(allowed(Action.LIST_MODELS))])
async def models(lineup: LineupDep) -> ModelList:
    """Everything that can be asked: the champion first."""
    names = [DEPLOYED, *(model.version for model in lineup.models)]
    return ModelList(data=[ModelCard(id=name) for name in names])


@router.post("/chat/completions", response_model=None)
async def chat_completions(
    body: ChatRequest, request: Request, service: ServiceDep, caller: GeneratorDep, lineup: LineupDep
) -> dict[str, Any] | StreamingResponse:
    """Answer a conversation; with `stream`, in chunks."""
    answering = await begin(_question(body), request, service, lineup, caller)
    if body.stream:
        return await stream(answering, request, partial(_chunks, answering, request, "chat.completion", body.usage))
    text = await whole(answering, request)
    return _envelope(answering, "chat.completion", _choice(answering, {"message": _message(text)}), usage=True)


@router.post("/completions", response_model=None)
async def completions(
    body: CompletionRequest, request: Request, service: ServiceDep, caller: GeneratorDep, lineup: LineupDep
) -> dict[str, Any] | StreamingResponse:
    """Answer a question as `/generate` does: the model was trained on questions, so a prompt is one."""
    answering = await begin(_question(body), request, service, lineup, caller)
    if body.stream:
        return await stream(answering, request, partial(_chunks, answering, request, "text_completion", body.usage))
    text = await whole(answering, request)
    return _envelope(answering, "text_completion", _choice(answering, {"text": text}), usage=True)


def _question(body: ChatRequest | CompletionRequest) -> GenerateRequest:
    """The request as `/generate` takes it; what that refuses is refused in the same words."""
    try:
        return body.question()
    except ValidationError as error:
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in error.errors()]) from error


async def _chunks(
    answering: Answering, request: Request, kind: Kind, with_usage: bool, pieces: AsyncIterator[Piece]
) -> AsyncIterator[str]:
    name: Any = "chat.completion.chunk" if kind == "chat.completion" else kind
    is_first = True
    try:
        async for piece in pieces:
            if not (is_first or piece.text or piece.finish_reason):
                continue
            if kind == "chat.completion":
                delta = {"content": piece.text, **({"role": "assistant"} if is_first else {})}
                part: dict[str, Any] = {"delta": delta}
            else:
                part = {"text": piece.text}
            is_first = False
            yield _event(_envelope(answering, name, _choice(answering, part, piece.finish_reason)))
    except ServiceError as error:
        yield _event(errors.body(request.scope, error.kind, error.message).model_dump())
        return
    if with_usage:
        yield _event({**_envelope(answering, name, None, usage=True), "choices": []})
    yield "data: [DONE]\n\n"


def _envelope(answering: Answering, kind: str, choice: dict[str, Any] | None, *, usage: bool = False) -> dict[str, Any]:
    read, written = len(answering.job.prompt), answering.completion_tokens
    counted = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return {
        "id": answering.id,
        "object": kind,
        "created": answering.created,
        "model": answering.model.version,
        "choices": [choice],
        **({"usage": counted} if usage else {}),
    }


def _choice(answering: Answering, part: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "logprobs": None, "finish_reason": reason or answering.finish_reason, **part}


def _message(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "refusal": None}


def _event(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n"
