"""An erasure in a process of its own that kills itself, as `kill -9` would, at a point that a test chooses."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from llmops.governance.erasure import commands
from llmops.settings import Settings


def erase_until(function: str, event: str, times: int, subject: str, home: Path) -> None:
    """Erase somebody, and die at the given occurrence of the profiler's event (call, return) in a named function."""
    left = times

    def watch(frame: FrameType, seen: str, _: Any) -> None:
        nonlocal left
        if seen == event and frame.f_code.co_qualname == function and "/llmops/" in frame.f_code.co_filename:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    settings = Settings(home=home)
    sys.setprofile(watch)
    commands.erase(subject=subject, settings=settings)


if __name__ == "__main__":
    erase_until(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], Path(sys.argv[5]))
