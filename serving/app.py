"""The web application: a factory, and a lifespan that loads the model beside the running event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog
from fastapi import FastAPI

from serving import api, errors
from serving.middleware import AccessLog, BodyLimit
from serving.service import Loaded, Service, load_champion
from serving.settings import ServingSettings

_BYTES_PER_CHARACTER = 12  # JSON may write a character beyond the BMP as two \uXXXX escapes
_OTHER_FIELDS_BYTES = 16_384
log = structlog.get_logger()


def create_app(settings: ServingSettings | None = None, on_failure: Callable[[], None] | None = None) -> FastAPI:
    """The service; it answers 503 until the model is loaded.

    When loading fails, `app.state.service.failure` says why and `on_failure` is called, to end the server.
    """
    settings = settings or ServingSettings()
    service = Service(settings)
    app = FastAPI(title="llmops", lifespan=partial(_lifespan, service, on_failure), docs_url=None, redoc_url=None)
    app.state.service = service
    app.add_middleware(BodyLimit, max_bytes=settings.max_prompt_characters * _BYTES_PER_CHARACTER + _OTHER_FIELDS_BYTES)
    app.add_middleware(AccessLog)
    app.include_router(api.router)
    errors.install(app)
    return app


@asynccontextmanager
async def _lifespan(service: Service, on_failure: Callable[[], None] | None, _: FastAPI) -> AsyncIterator[None]:
    def settle(loading: "asyncio.Task[Loaded]") -> None:
        if loading.cancelled():
            return
        service.failure = loading.exception()
        if service.failure is None:
            service.loaded = loading.result()
            return
        log.error(
            "service.failed", **{"error.type": type(service.failure).__name__, "error.message": str(service.failure)}
        )
        if on_failure is not None:
            on_failure()

    loading = asyncio.create_task(asyncio.to_thread(load_champion, service.settings))
    loading.add_done_callback(settle)
    yield
    loading.cancel()
    if service.loaded is not None:
        await asyncio.to_thread(service.loaded.engine.close)
