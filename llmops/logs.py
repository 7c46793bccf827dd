"""Structured logs: ECS JSON lines for machines, readable lines on a terminal, always on stderr.

Events are `noun.past_verb` with fields. A log never holds text of documents,
prompts or answers: it holds ids and counts.
"""

import logging
import sys
from typing import TextIO

import ecs_logging
import structlog
from structlog.typing import Processor


def configure(log_format: str = "auto", stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records to `stream` (stderr) as JSON or console lines.

    `auto` means console lines on a terminal and JSON elsewhere.
    """
    stream = stream or sys.stderr
    as_console = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[Processor] = [structlog.contextvars.merge_contextvars, structlog.processors.format_exc_info]
    if as_console:
        renderer: list[Processor] = [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
            structlog.dev.ConsoleRenderer(colors=stream.isatty()),
        ]
    else:
        renderer = [ecs_logging.StructlogFormatter()]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    if not as_console:
        handler.setFormatter(ecs_logging.StdlibFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
