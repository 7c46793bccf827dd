"""Publishing in a process of its own that kills itself, as `kill -9` would, at a point that a test chooses."""

import os
import signal
import sys
from types import FrameType
from typing import Any

from llmops.publishing.stage import publish_release
from llmops.settings import Settings
from tests.publishing.small_lake import CONFIG


def publish_until(function: str, event: str, settings: Settings, decision: str) -> None:
    """Publish, and die when the interpreter's profile hook sees `event` (call, return) of the named function."""

    def watch(frame: FrameType, seen: str, _: Any) -> None:
        if seen == event and frame.f_code.co_qualname == function:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)
    publish_release(decision, f"{settings.lake}/releases", config=CONFIG, settings=settings)
