"""From a request to a job: whether there is room, who answers, and whether it is within the limits.

The cheapest check comes first: a place in the queue, characters, and only then tokens.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serving.engines.contract import EngineDiedError, Job
from serving.errors import ServiceError
from serving.models import Model
from serving.schemas import GenerateRequest
from serving.settings import ServingSettings

RETRY_SOON = 2
"""Seconds after which it is worth trying again."""


class Places:
    """How many requests may run or wait at once. Belongs to one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit, self.taken = limit, 0
        self.tell: Callable[[int], None] = _tell_nobody
        """Called with the places that are taken whenever that changes."""

    @contextmanager
    def one(self) -> Iterator[None]:
        """Within this context a place is taken; 503 when there is none."""
        if self.taken >= self.limit:
            raise ServiceError(503, "busy", "too many requests at once; try again", retry_after_seconds=RETRY_SOON)
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        self.taken += by
        self.tell(self.taken)


def _tell_nobody(_: int) -> None:
    """Nothing."""


def refuse_characters(body: GenerateRequest, settings: ServingSettings) -> None:
    """413 for a prompt that is too long to be worth tokenising."""
    characters = sum(len(text) for text in body.texts)
    if characters > settings.max_prompt_characters:
        raise ServiceError(
            413,
            "prompt_too_long",
            f"the prompt has {characters} characters, {settings.max_prompt_characters} are allowed; shorten it",
        )


def engine_gone() -> ServiceError:
    """The answer to requests that an engine's end has cut off."""
    return ServiceError(503, "not_ready", "the engine has ended; its operator finds the reason in the log")


async def make_job(body: GenerateRequest, model: Model, settings: ServingSettings) -> Job:
    """The job that a request asks of a model; 422 when it is beyond the limits in tokens."""
    engine, record, limit = model.engine, model.record, settings.max_new_tokens_limit
    new_tokens = min(record.max_new_tokens, limit) if body.max_new_tokens is None else body.max_new_tokens
    if new_tokens > limit:
        raise ServiceError(422, "invalid_request", f"max_new_tokens: at most {limit} are allowed")
    try:
        prompt = await engine.encode(body.conversation(record.system))
    except EngineDiedError as error:
        raise engine_gone() from error
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
        version=model.release,
        max_new_tokens=new_tokens,
        temperature=record.temperature if body.temperature is None else body.temperature,
        seed=secrets.randbits(32) if body.seed is None else body.seed,
        top_p=body.top_p,
        is_streamed=body.stream or bool(body.stop),  # a stop text ends generation early only if somebody looks
    )
