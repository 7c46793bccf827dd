"""The two sides of the comparison, each loaded once and kept, so that they can take turns on one card."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.gpu.load import KEY_VARIABLE, Result
from scripts.access import UNLIMITED, make_key

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 500
Measure = Callable[[Path], Result]
"""Puts the plan in a file on the side; waits until it is loaded the first time."""


class SideError(Exception):
    """A side does not start or has ended; the message holds the end of its log."""


def environment() -> dict[str, str]:
    """What the processes of a benchmark inherit."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}


@contextmanager
def bare(home: Path, quantization: str, cache_gib: int) -> Iterator[Measure]:
    """The engine alone (`benchmarks.gpu.bare`)."""
    ready, result = home / "bare.ready", home / "bare.json"
    ready.unlink(missing_ok=True)
    words = ["benchmarks.gpu.bare", str(home), quantization, str(cache_gib)]
    log = home / "bare.log"
    with _process(words, {}, log) as process:

        def measure(plan: Path) -> Result:
            _wait(ready.exists, process, log)
            result.unlink(missing_ok=True)
            assert process.stdin is not None  # noqa: S101 - for the type checker; it is a pipe
            process.stdin.write(f"{plan} {result}\n".encode())
            process.stdin.flush()
            _wait(result.exists, process, log)
            return Result(**json.loads(result.read_text()))

        yield measure


@contextmanager
def service(home: Path, quantization: str, cache_gib: int, *, processes: int, concurrent: int) -> Iterator[Measure]:
    """The service over HTTP; the load comes from processes of its own (`benchmarks.gpu.load`)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    variables = {
        "LLMOPS_HOME": str(home),
        "LLMOPS_LOG_FORMAT": "json",
        "LLMOPS_SERVING_PORT": address.rpartition(":")[2],
        "LLMOPS_SERVING_ENGINE": "vllm",
        "LLMOPS_SERVING_PROCESSES": str(processes),
        "LLMOPS_ENVIRONMENT": "development",  # several processes without Redis: each counts the rates for itself
        "LLMOPS_SERVING_QUANTIZATION": quantization,
        "LLMOPS_SERVING_GPU_CACHE_GIB": str(cache_gib),
        # The kernel hands connections to the processes unevenly, and each has its part of the queue.
        "LLMOPS_SERVING_QUEUE_SIZE": str(2 * concurrent * processes),
        "LLMOPS_SERVING_CUSTOMER_CONTEXT": "false",
        **UNLIMITED,
    }
    log, result = home / "service.log", home / "service.json"
    key = make_key(home)
    with _process(["serving"], variables, log) as process:

        def measure(plan: Path) -> Result:
            _wait(lambda: _is_loaded(log, processes) and _is_ready(address), process, log)
            words = [sys.executable, "-m", "benchmarks.gpu.load", address, str(plan), str(result)]
            subprocess.run(words, env=environment() | {KEY_VARIABLE: key}, cwd=ROOT, check=True)
            return Result(**json.loads(result.read_text()))

        yield measure


@contextmanager
def _process(words: list[str], variables: Mapping[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A module that runs; told to end afterwards, and killed with all that it started if it does not."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            env={**environment(), **variables},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(is_so: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SideError(
                f"it ended or takes too long; the end of its log:\n{log.read_text(errors='replace')[-4000:]}"
            )
        time.sleep(0.1)


def _is_loaded(log: Path, processes: int) -> bool:
    """Whether every API process is; the first one that is opens the port already."""
    return processes == 1 or log.read_bytes().count(b'"api.loaded"') >= processes


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5):  # noqa: S310 - loopback
            return True
    except (urllib.error.URLError, OSError):
        return False
