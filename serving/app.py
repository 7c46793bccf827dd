"""The web application: a factory, and a lifespan that loads the models beside the running event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog
from fastapi import FastAPI

from llmops.errors import LlmopsError
from serving import errors
from serving.api import feedback, generate, openai, page, platforms, probes
from serving.engines.contract import EngineDiedError
from serving.middleware import AccessLog, BodyLimit
from serving.service import Service
from serving.settings import ServingSettings

_BYTES_PER_CHARACTER = 12  # JSON may write a character beyond the BMP as two \uXXXX escapes
_OTHER_FIELDS_BYTES = 16_384
log = structlog.get_logger()


def create_app(
    settings: ServingSettings | None = None,
    on_failure: Callable[[], None] | None = None,
    before_accepting: Callable[[], Awaitable[None]] | None = None,
) -> FastAPI:
    """The service; it answers 503 until the champion is loaded, then follows what the lake names.

    When loading fails, `app.state.service.failure` says why and `on_failure` is called, to end the server. Loading goes
    on beside `before_accepting`, which the server waits for before it takes connections.
    """
    settings = settings or ServingSettings()
    service = Service(settings)
    lifespan = partial(_lifespan, service, on_failure, before_accepting)
    app = FastAPI(title="llmops", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    app.add_middleware(BodyLimit, max_bytes=settings.max_prompt_characters * _BYTES_PER_CHARACTER + _OTHER_FIELDS_BYTES)
    app.add_middleware(AccessLog, metrics=service.metrics)
    for routes in (page, generate, openai, feedback, probes, platforms):
        app.include_router(routes.router)
    app.mount("/page/swagger", page.swagger)
    app.mount("/page", page.files)
    errors.install(app)
    return app


@asynccontextmanager
async def _lifespan(
    service: Service,
    on_failure: Callable[[], None] | None,
    before_accepting: Callable[[], Awaitable[None]] | None,
    _: FastAPI,
) -> AsyncIterator[None]:
    following = asyncio.create_task(_follow(service, on_failure))
    if before_accepting is not None:
        await before_accepting()
    yield
    following.cancel()
    await asyncio.wait({following})
    await service.models.close()
    await service.interactions.close()
    service.metrics.refresh()  # those of a process that has ended still count, if there are others
    await service.limits.close()
    service.customers.close()


async def _follow(service: Service, on_failure: Callable[[], None] | None) -> None:
    """Load what the lake names, and again whenever it names something else; a bad change leaves what is served.

    An engine that has ended ends the service, for whoever watches over it to start anew.
    """
    try:
        await _take_over(service)
        while True:
            service.metrics.refresh()
            await asyncio.sleep(service.settings.follow_seconds)
            service.models.require_life()
            await _take_over_if_good(service)
    except Exception as error:  # noqa: BLE001 - whatever it is, the app must say so and end
        service.failure = error
    log.error("service.failed", **_told(service.failure))
    if on_failure is not None:
        on_failure()


async def _take_over_if_good(service: Service) -> None:
    try:
        await _take_over(service)
    except (LlmopsError, EngineDiedError, OSError) as error:
        service.metrics.refused_changes.inc()
        log.warning("lineup.kept", **_told(error))


async def _take_over(service: Service) -> None:
    if service.models.lineup is None:
        await service.interactions.open()
        await service.customers.open()
    await service.models.follow()


def _told(error: BaseException) -> dict[str, str]:
    return {"error.type": type(error).__name__, "error.message": str(error)}
