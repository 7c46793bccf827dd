"""The routes: `POST /generate`, and the two probes."""

import asyncio
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from serving.answers import Answer, collect
from serving.engines.contract import BusyError, Engine, EngineDiedError, Job
from serving.errors import ServiceError
from serving.schemas import ErrorResponse, GenerateRequest, GenerateResponse, Health, Readiness, Usage
from serving.service import Loaded, Service
from serving.settings import ServingSettings

_ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": ErrorResponse} for status in (413, 422, 500, 503)}
_RETRY_SOON = 2

router = APIRouter(responses=_ERRORS)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _settings(service: Annotated[Service, Depends(_service)]) -> ServingSettings:
    return service.settings


def _loaded(service: Annotated[Service, Depends(_service)]) -> Loaded:
    if service.loaded is not None:
        return service.loaded
    if service.failure is not None:
        raise ServiceError(503, "not_ready", "the model could not be loaded; its operator finds the reason in the log")
    raise ServiceError(503, "not_ready", "the model is loading; try again", retry_after_seconds=_RETRY_SOON)


SettingsDep = Annotated[ServingSettings, Depends(_settings)]
LoadedDep = Annotated[Loaded, Depends(_loaded)]


@router.get("/healthz")
async def healthz() -> Health:
    """The process lives and its event loop turns."""
    return Health()


@router.get("/readyz")
async def readyz(loaded: LoadedDep) -> Readiness:
    """The model is loaded: requests are answered."""
    return Readiness(model=loaded.record.version)


@router.post("/generate")
async def generate(
    body: GenerateRequest, request: Request, settings: SettingsDep, loaded: LoadedDep
) -> GenerateResponse:
    """Answer a customer's question."""
    engine, request_id = loaded.engine, str(request.state.request_id)
    job = await _admit(body, settings, loaded)
    fields: dict[str, Any] = request.state.log_fields
    fields.update(_request_fields(job, engine))
    answer = await _answer(engine, job, request, settings.request_timeout_seconds)
    fields.update(_answer_fields(answer, request_id))
    return GenerateResponse(
        id=request_id,
        answer=answer.text,
        model=engine.versions[job.variant],
        finish_reason=answer.finish_reason,
        usage=Usage(prompt_tokens=len(job.prompt), completion_tokens=answer.completion_tokens),
    )


async def _admit(body: GenerateRequest, settings: ServingSettings, loaded: Loaded) -> Job:
    """The job that a request asks for, within the limits: characters first, so that nothing huge is tokenised."""
    engine, record = loaded.engine, loaded.record
    if body.characters > settings.max_prompt_characters:
        raise ServiceError(
            413,
            "prompt_too_long",
            f"the prompt has {body.characters} characters, {settings.max_prompt_characters} are allowed; shorten it",
        )
    limit = settings.max_new_tokens_limit
    new_tokens = min(record.max_new_tokens, limit) if body.max_new_tokens is None else body.max_new_tokens
    if new_tokens > limit:
        raise ServiceError(422, "invalid_request", f"max_new_tokens: at most {limit} are allowed")
    prompt = await engine.encode(body.conversation(record.system))
    room = min(settings.max_prompt_tokens, engine.context_tokens - new_tokens)
    if len(prompt) > room:
        raise ServiceError(
            422,
            "prompt_too_long",
            f"the prompt has {len(prompt)} tokens, {max(room, 0)} are allowed beside an answer of {new_tokens}; "
            "shorten it or ask for a shorter answer",
        )
    return Job(
        prompt=prompt,
        variant=body.model,
        max_new_tokens=new_tokens,
        temperature=record.temperature if body.temperature is None else body.temperature,
        seed=secrets.randbits(32) if body.seed is None else body.seed,
    )


async def _answer(engine: Engine, job: Job, request: Request, timeout_seconds: float) -> Answer:
    """Generate until done, too late, or nobody listens any more: then generation stops within a token."""
    answering = asyncio.create_task(collect(engine.stream(job)))
    leaving = asyncio.create_task(_until_disconnected(request))
    try:
        await asyncio.wait({answering, leaving}, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            return answering.result()
        if leaving.done():
            raise ServiceError(499, "client_gone", "the client closed the connection")
        raise ServiceError(
            503,
            "timeout",
            f"no answer within {timeout_seconds:g} seconds; try again later, or ask for a shorter answer",
            retry_after_seconds=_RETRY_SOON,
        )
    except BusyError as error:
        raise ServiceError(
            503, "busy", "too many requests at once; try again", retry_after_seconds=_RETRY_SOON
        ) from error
    except EngineDiedError as error:
        raise ServiceError(
            503, "not_ready", "the engine has ended; its operator finds the reason in the log"
        ) from error
    finally:
        answering.cancel()
        leaving.cancel()


async def _until_disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _request_fields(job: Job, engine: Engine) -> dict[str, Any]:
    """ECS fields of the generative AI field set, known before the answer."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": job.variant,
        "gen_ai.request.max_tokens": job.max_new_tokens,
        "gen_ai.request.temperature": job.temperature,
        "gen_ai.response.model": engine.versions[job.variant],
        "gen_ai.usage.input_tokens": len(job.prompt),
    }


def _answer_fields(answer: Answer, request_id: str) -> dict[str, Any]:
    return {
        "gen_ai.response.id": request_id,
        "gen_ai.response.finish_reasons": [answer.finish_reason],
        "gen_ai.usage.output_tokens": answer.completion_tokens,
    }
