"""`python -m serving`: run the service with settings from the environment until SIGTERM or SIGINT.

What runs then is finished first. Exit status: 0 ended as asked, 1 the champion cannot be served or a setting is wrong.
"""

import math
import signal
import sys

import structlog
import uvicorn
from pydantic import ValidationError

from llmops import logs
from llmops.errors import LlmopsError
from serving.app import create_app
from serving.settings import ServingSettings

log = structlog.get_logger()


def main() -> None:
    """Entry point."""
    try:
        settings = ServingSettings()
    except ValidationError as error:
        wrong = (f"  {'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        sys.exit("\n".join(["error: wrong setting; see serving/settings.py:", *wrong]))
    logs.configure(settings.platform.log_format)
    failure = _serve(settings)
    if isinstance(failure, LlmopsError):
        sys.exit(f"error: {failure}")
    if failure is not None:
        raise failure


def _serve(settings: ServingSettings) -> BaseException | None:
    """Serve until told to stop; the reason, if it was that the model could not be loaded."""

    def stop() -> None:
        server.should_exit = True

    app = create_app(settings, on_failure=stop)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.request_timeout_seconds) + 1,
    )
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    log.info("service.listening", **{"server.address": settings.host, "server.port": listening.getsockname()[1]})
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))  # uvicorn raises what it caught again, once it is done
    server.run(sockets=[listening])
    failure: BaseException | None = app.state.service.failure
    return failure


if __name__ == "__main__":
    main()
