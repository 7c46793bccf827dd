"""The model service on this machine, on loopback, and what the champion that it serves says about itself."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.local_airflow import PROJECT, PlatformError, environment
from scripts.loopback import open_url
from scripts.processes import Processes

NAME = "service"
_START_SECONDS = 300
_ANSWER_SECONDS = 120


def has_champion(lake: Path) -> bool:
    """Whether anything was published into the lake."""
    return (lake / "champion.json").exists()


def read_champion(lake: Path) -> dict[str, Any]:
    """release.json of the champion."""
    if not has_champion(lake):
        raise PlatformError(f"{lake}: nothing is published; see why in the log of the last stage that was skipped")
    release = lake / json.loads((lake / "champion.json").read_text())["release"]
    names = (file["name"] for file in json.loads((release / "_manifest.json").read_text())["files"])
    record = next(name for name in names if name.endswith("/release.json"))
    content: dict[str, Any] = json.loads((release / record).read_text())
    return content


def start(processes: Processes, port: int, lake: Path, variables: Mapping[str, str] | None = None) -> str:
    """Start the service for the lake's champion, wait until it is ready, and return its address."""
    own = {
        "LLMOPS_SERVING_HOST": "127.0.0.1",
        "LLMOPS_SERVING_PORT": str(port),
        "LLMOPS_LAKE": str(lake),
    }
    # A canary is judged by what was logged since it began, also before a restart.
    whole = environment({**(variables or {}), **own})
    processes.start(NAME, [sys.executable, "-m", "serving"], whole, PROJECT, keeps_log=True)
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + _START_SECONDS
    while not _is_ready(address):
        if NAME not in processes.running() or time.monotonic() > deadline:
            raise PlatformError(f"the service does not get ready; the end of its log:\n{processes.tail(NAME)}")
        time.sleep(0.5)
    return address


def ask(address: str, key: str, question: str, model: str) -> dict[str, Any]:
    """The service's answer to a question, by `champion` or by `base`, the untuned model."""
    request = urllib.request.Request(
        f"{address}/generate",
        data=json.dumps({"prompt": question, "model": model}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
    )
    try:
        with open_url(request, timeout_seconds=_ANSWER_SECONDS) as answer:
            content: dict[str, Any] = json.load(answer)
            return content
    except urllib.error.HTTPError as error:
        raise PlatformError(f"POST /generate: {error.code} {error.read().decode()[:1000]}") from error
    except OSError as error:
        raise PlatformError(f"POST /generate: {error}; look into the service's log") from error


def _is_ready(address: str) -> bool:
    try:
        with open_url(f"{address}/readyz", timeout_seconds=10):
            return True
    except OSError:
        return False
