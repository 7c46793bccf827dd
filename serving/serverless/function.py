"""The service as a function: HTTP events of AWS Lambda (API Gateway, function URLs) in, the app's answers out.

Mangum translates; nothing of the app is repeated. Two things are different from a server. Mangum would run the app's
lifespan in every invocation and load the model each time, so the lifespan runs here, once, in the event loop that
Mangum goes on to use. And Lambda ends a function that takes too long, loaded model included, so an answer's deadline
is the earlier of the service's own and the function's.

An environment of Lambda answers one event at a time; answers come whole, also those asked for as a stream.
"""

import asyncio
from typing import Any, Protocol

import structlog
from mangum import Mangum

from serving.app import create_app
from serving.service import Service
from serving.settings import ServingSettings

_MARGIN_SECONDS = 1.0
"""What is left for tokenising the prompt and for sending the answer."""
_SHORTEST_SECONDS = 0.001
log = structlog.get_logger()


class Context(Protocol):
    """What Lambda tells of an invocation (https://docs.aws.amazon.com/lambda/latest/dg/python-context.html)."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""


class Function:
    """A handler with a loaded model. Belongs to the thread that made it.

    Raises SignatureError, ArtifactError or ConfigurationError, with the remedy, when the champion cannot be served.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        app = create_app(settings)
        self._service: Service = app.state.service
        self._lifespan = app.router.lifespan_context(app)
        asyncio.set_event_loop(self._loop)
        self._adapter = Mangum(app, lifespan="off")
        try:
            self._loop.run_until_complete(self._load())
        except BaseException:
            self.close()
            raise

    def __call__(self, event: dict[str, Any], context: Context) -> dict[str, Any]:
        """Answer one event (payload format 2.0 or 1.0) with `statusCode`, `headers`, `body`, `isBase64Encoded`."""
        left = context.get_remaining_time_in_millis() / 1000 - _MARGIN_SECONDS
        seconds = max(min(left, self._settings.request_timeout_seconds), _SHORTEST_SECONDS)
        self._service.settings = self._settings.model_copy(update={"request_timeout_seconds": seconds})
        asyncio.set_event_loop(self._loop)  # where Mangum looks for it
        return self._adapter(event, context)  # type: ignore[arg-type] # it wants more of a context than it reads

    def close(self) -> None:
        """Unload the model."""
        self._loop.run_until_complete(self._lifespan.__aexit__(None, None, None))
        asyncio.set_event_loop(None)
        self._loop.close()

    async def _load(self) -> None:
        await self._lifespan.__aenter__()
        while self._service.models.lineup is None:
            if self._service.failure is not None:
                raise self._service.failure
            await asyncio.sleep(0.05)
        log.info("function.loaded", model=self._service.models.lineup.champion.version)
