"""Work in a process of its own that kills itself, as `kill -9` would, at a point that a test chooses."""

import os
import signal
import sys
from types import FrameType
from typing import Any

from llmops.publishing.canary import commands
from llmops.publishing.canary.config import CanaryConfig
from llmops.publishing.stage import publish_release
from llmops.settings import Settings
from tests.publishing.small_lake import CONFIG


def publish_until(function: str, event: str, settings: Settings, decision: str) -> None:
    """Publish, and die when the interpreter's profile hook sees `event` (call, return) of the named function."""
    _die_at(function, event)
    target = f"{settings.lake}/releases"
    publish_release(decision, target, config=CONFIG, canary=CanaryConfig(), settings=settings)


def judge_until(function: str, event: str, settings: Settings) -> None:
    """Look at a canary, and die likewise."""
    _die_at(function, event)
    commands.judge(settings=settings)


def _die_at(function: str, event: str) -> None:
    def watch(frame: FrameType, seen: str, _: Any) -> None:
        if seen == event and frame.f_code.co_qualname == function:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)
