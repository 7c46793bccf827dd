"""The service in a process of its own, as it is deployed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmops.settings import Settings


@contextmanager
def run_service(settings: Settings, log: Path, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`python -m serving` with its log in a file, killed at the end."""
    variables = {
        "LLMOPS_LAKE": settings.lake,
        "LLMOPS_ACCESS_KEYS": str(settings.access_keys),
        "LLMOPS_SERVING_ENGINE": "transformers",
        "LLMOPS_SERVING_CUSTOMER_CONTEXT": "false",
        "LLMOPS_TRUSTED_KEY": str(settings.trusted_key),
        "LLMOPS_LOG_FORMAT": "json",
        "LLMOPS_SERVING_PORT": "0",
        "LLMOPS_SERVING_THREADS": "1",
        "LLMOPS_SERVING_MAX_NEW_TOKENS_LIMIT": "980",
    }
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving"], env={**os.environ, **variables, **environment}, stderr=stream
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def lines(log: Path) -> list[dict[str, Any]]:
    """What it has logged so far."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]


def address(log: Path, process: "subprocess.Popen[bytes]") -> str:
    """Where it listens, once it does."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        ports = [line["server"]["port"] for line in lines(log) if line["message"] == "service.listening"]
        if ports:
            return f"http://127.0.0.1:{ports[0]}"
        time.sleep(0.05)
    raise AssertionError(log.read_text())
