"""`python -m serving`: run the service with settings from the environment until SIGTERM or SIGINT.

What runs then is finished first. Exit status: 0 ended as asked, 1 the champion cannot be served or a setting is wrong.
"""

import sys

from pydantic import ValidationError

from llmops import logs
from llmops.errors import LlmopsError
from llmops.governance.access.default_passwords import refuse_defaults
from serving.processes import ports, supervisor
from serving.settings import ServingSettings


def main() -> None:
    """Entry point."""
    try:
        settings = ServingSettings()
    except ValidationError as error:
        wrong = (f"  {'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        sys.exit("\n".join(["error: wrong setting; see serving/settings.py:", *wrong]))
    logs.configure(settings.platform.log_format)
    try:
        refuse_defaults(settings.platform)
        reason = _serve(settings) if settings.processes == 1 else supervisor.supervise(settings)
    except LlmopsError as error:
        reason = str(error)
    if reason is not None:
        sys.exit(f"error: {reason}")


def _serve(settings: ServingSettings) -> str | None:
    """Serve in this process; the reason, if the champion cannot be served."""
    from serving.server import serve  # noqa: PLC0415 - 80 MB that a supervisor of other processes does not need

    listening = ports.bind(settings.host, settings.port)
    ports.tell(settings.host, listening.getsockname()[1])
    failure = serve(settings, listening)
    if failure is None or isinstance(failure, LlmopsError):
        return None if failure is None else str(failure)
    raise failure


if __name__ == "__main__":
    main()
