"""A service in a process of its own, for the time of a check."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from llmops.errors import AccessViolationError
from llmops.governance.access.config import VerifyAccessConfig
from llmops.settings import Settings

_PERIOD_SECONDS = 0.2
_STOP_SECONDS = 20.0
_TAIL = 2_000


@contextmanager
def running(platform: Settings, log: Path, config: VerifyAccessConfig) -> Iterator[str]:
    """The address of a service on a free port of the loopback address, ready to answer; it ends with the context.

    Raises AccessViolationError, with the end of its log, when it does not get ready: what cannot be tried is not held
    to be safe.
    """
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving"],
            env={**os.environ, **_variables(platform, config)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its engine's processes end with it
        )
        try:
            yield _ready(process, log, time.monotonic() + config.start_seconds)
        finally:
            _stop(process)


def _variables(platform: Settings, config: VerifyAccessConfig) -> dict[str, str]:
    return {
        "LLMOPS_HOME": str(platform.home),
        "LLMOPS_LAKE": platform.lake,
        "LLMOPS_TRUSTED_KEY": str(platform.trusted_key),
        "LLMOPS_SIGNING_KEY": str(platform.signing_key),
        "LLMOPS_PSEUDONYM_KEY": str(platform.pseudonym_key),
        "LLMOPS_ACCESS_KEYS": str(platform.access_keys),
        "LLMOPS_ACCESS_LIMIT_STORAGE": platform.access_limit_storage,
        "LLMOPS_OPEN_ACCESS": "false",
        "LLMOPS_LOG_FORMAT": "json",
        "LLMOPS_SERVING_HOST": "127.0.0.1",
        "LLMOPS_SERVING_PORT": "0",
        "LLMOPS_SERVING_PROCESSES": "1",
        "LLMOPS_SERVING_ENGINE": config.engine,
        "LLMOPS_SERVING_CUSTOMER_CONTEXT": "false",
    }


def _ready(process: "subprocess.Popen[bytes]", log: Path, deadline: float) -> str:
    with httpx.Client(timeout=10, trust_env=False) as client:
        while time.monotonic() < deadline and process.poll() is None:
            address = _address(log)
            if address is not None and _answers(client, address):
                return address
            time.sleep(_PERIOD_SECONDS)
    raise AccessViolationError(
        f"the service of the check does not get ready; the end of its log:\n{log.read_text(errors='replace')[-_TAIL:]}"
    )


def _address(log: Path) -> str | None:
    """Where the service says that it listens."""
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("{") and line.endswith("}") and '"service.listening"' in line:
            return f"http://127.0.0.1:{json.loads(line)['server']['port']}"
    return None


def _answers(client: httpx.Client, address: str) -> bool:
    try:
        return client.get(f"{address}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
