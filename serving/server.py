"""One API process: the app on a port until SIGTERM or SIGINT; what runs then is finished first."""

import asyncio
import math
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn

from serving.app import create_app
from serving.settings import ServingSettings


def serve(
    settings: ServingSettings, listening: socket.socket, on_loaded: Callable[[], None] | None = None
) -> BaseException | None:
    """Serve until told to stop; the reason, if it was that the model could not be loaded.

    From the start the app answers, 503 while it loads. With `on_loaded` it does not: the port is opened when the model
    is loaded, after that call, so that a process that loads takes no connection from those beside it.
    """

    def stop() -> None:
        server.should_exit = True

    async def load() -> None:
        service = app.state.service
        while not (service.models.lineup or service.failure or server.should_exit):
            await asyncio.sleep(0.05)
        if on_loaded is not None and service.models.lineup:
            on_loaded()

    app = create_app(settings, on_failure=stop, before_accepting=load if on_loaded else None)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=drain_seconds(settings),
    )
    server = uvicorn.Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))  # uvicorn raises what it caught again, once it is done
    server.run(sockets=[listening])
    failure: BaseException | None = app.state.service.failure
    return failure


def drain_seconds(settings: ServingSettings) -> int:
    """How long answers under way may take to end."""
    return math.ceil(settings.request_timeout_seconds) + 1
