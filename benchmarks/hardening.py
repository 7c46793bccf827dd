"""What a hostile or unlucky world does to the service: clients that hang up, an end under load, nonsense in thousands.

1. 1,000 readers of streams hang up: each frees its place within a second.
2. SIGTERM while streams run: every one of them is completed.
3. Schemathesis makes requests out of the OpenAPI description that the service gives of itself, and a fuzzer of ours
   breaks bodies, headers, methods and paths: no 5xx but 503, no stack trace in an answer or in the log.

A small model answers, so that what is measured is the service. The figure is the number of faults.
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.release import make_tiny_release
from llmops.settings import Settings
from scripts import demo, service
from scripts.access import UNLIMITED, make_key
from scripts.local_airflow import HOME, PlatformError
from scripts.loopback import free_port
from scripts.processes import Processes
from scripts.verdict import judge

FOLDER = HOME / "benchmarks/hardening"
PLACES = 8
HEADERS: dict[str, str] = {}
LONG: dict[str, Any] = {"prompt": "Where is my parcel?", "model": "base", "max_new_tokens": 500, "stream": True}
_GAUGE = re.compile(rb"^llmops_queue_requests ([\d.]+)$", re.MULTILINE)
_TRACES = (b"Traceback", b'File "', b".py")


def main() -> int:
    """Try everything; the exit status."""
    parser = argparse.ArgumentParser(prog="hardening")
    parser.add_argument("--disconnects", type=int, default=1_000)
    parser.add_argument("--terminations", type=int, default=3)
    parser.add_argument("--described", type=int, default=20_000, help="requests by schemathesis")
    parser.add_argument("--broken", type=int, default=80_000, help="requests by the fuzzer")
    options = parser.parse_args()
    settings = make_tiny_release(Settings(home=FOLDER.absolute()))
    processes = Processes(HOME / "run")
    limits = {"LLMOPS_HOME": str(settings.home), "LLMOPS_SERVING_QUEUE_SIZE": str(PLACES), "LLMOPS_LOG_FORMAT": "json"}
    limits |= {"LLMOPS_SERVING_CUSTOMER_CONTEXT": "false", **UNLIMITED}
    HEADERS["Authorization"] = f"Bearer {make_key(settings.home)}"
    faults: list[str] = []

    def start() -> str:
        return service.start(processes, free_port(), Path(settings.lake), limits)

    try:
        with demo.ended_afterwards(processes):
            processes.log(service.NAME).unlink(missing_ok=True)  # it is kept over restarts, and searched at the end
            faults += asyncio.run(hang_up(start(), options.disconnects))
            for _ in range(options.terminations):
                processes.stop()
                faults += asyncio.run(terminate_under_load(start(), processes))
            processes.stop()
            address = start()
            faults += fuzz_described(address, options.described)
            faults += asyncio.run(fuzz_broken(address, options.broken))
            if b"Traceback" in processes.log(service.NAME).read_bytes():
                faults.append("a stack trace in the log")
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for fault in sorted(set(faults)):
        print(f"fault: {fault}")
    line, status = judge("hardening", len(faults), "<=", 0)
    print(line)
    return status


async def hang_up(address: str, times: int) -> list[str]:
    """Read the beginning of some streams, leave them all, and see how long their places stay taken; again and again."""
    waits: list[float] = []
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        while len(waits) * PLACES < times:
            streams = await asyncio.gather(*(session.post(f"{address}/generate", json=LONG) for _ in range(PLACES)))
            for stream in streams:
                await stream.content.readline()
            left = time.monotonic()
            for stream in streams:
                stream.close()
            while await _queue(session, address) > 0 and time.monotonic() < left + 30:
                await asyncio.sleep(0.01)
            waits.append(time.monotonic() - left)
    print(f"{len(waits) * PLACES:,} disconnects; places free after {max(waits):.3f} s at most (needs 1)")
    return [f"a place was taken for {wait:.1f} s after its client had left" for wait in waits if wait > 1]


async def terminate_under_load(address: str, processes: Processes) -> list[str]:
    """SIGTERM while streams run."""
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        streams = await asyncio.gather(*(session.post(f"{address}/generate", json=LONG) for _ in range(PLACES)))
        for stream in streams:
            await stream.content.readline()
        os.kill(processes.running()[service.NAME], signal.SIGTERM)
        ends = await asyncio.gather(*(stream.content.read() for stream in streams), return_exceptions=True)
    complete = [isinstance(end, bytes) and b"event: done" in end for end in ends]
    status = processes.wait(service.NAME)
    print(f"SIGTERM under {PLACES} streams: {sum(complete)} completed, exit status {status}")
    return ["a stream was cut off by SIGTERM"] * (PLACES - sum(complete)) + ["SIGTERM: exit status not 0"] * bool(
        status
    )


def fuzz_described(address: str, wanted: int) -> list[str]:
    """Requests that schemathesis makes of the OpenAPI description, until there were enough."""
    faults: list[str] = []
    sent, seed = 0.0, 0
    while sent < wanted:
        seed += 1
        before = asyncio.run(_requests(address))
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{address}/openapi.json"]
        command += ["--checks=not_a_server_error", "--max-examples=40", "--workers=4", f"--seed={seed}", "--no-color"]
        command += ["--phases=examples,coverage,fuzzing", "--request-timeout=30"]
        command += [part for name, value in HEADERS.items() for part in ("--header", f"{name}: {value}")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        statuses = re.findall(r"Received .*?(5\d\d)|\[(5\d\d)\]", done.stdout)
        found = Counter(first or second for first, second in statuses)
        faults += [f"schemathesis got {status}" for status in found if status != "503"]
        after = asyncio.run(_requests(address))
        if after <= before:
            raise PlatformError(f"schemathesis sent nothing:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        sent += after - before
    print(f"schemathesis: {sent:,.0f} requests, {len(faults)} faults")
    return faults


async def fuzz_broken(address: str, wanted: int) -> list[str]:
    """Requests that no description would make."""
    faults: list[str] = []
    statuses: Counter[int] = Counter()
    requests = _broken(random.Random(0))  # noqa: S311 - broken input, not secrets

    async def work(session: aiohttp.ClientSession, number: int) -> None:
        for _ in range(number):
            method, path, headers, body = next(requests)
            try:
                async with session.request(method, f"{address}{path}", headers=headers, data=body) as answer:
                    text = await answer.read()
                    statuses[answer.status] += 1
            except (aiohttp.ClientError, ValueError):
                statuses[0] += 1  # the client itself would not send it, or the server closed the connection
                continue
            if answer.status >= 500 and answer.status != 503:
                faults.append(f"{method} {path[:40]}: {answer.status}")
            if any(trace in text for trace in _TRACES) and not path.startswith(("/openapi", "/page", "/docs")):
                faults.append(f"{method} {path[:40]}: an answer with a stack trace")

    async with aiohttp.ClientSession(headers=HEADERS, timeout=aiohttp.ClientTimeout(total=60)) as session:
        await asyncio.gather(*(work(session, wanted // 32) for _ in range(32)))
        alive = (await session.get(f"{address}/healthz")).status == 200
    print(f"fuzzer: {sum(statuses.values()):,} requests, answers by status: {dict(sorted(statuses.items()))}")
    return faults + ([] if alive else ["the service did not survive the fuzzer"])


def _broken(chance: random.Random) -> Iterator[tuple[str, str, dict[str, str], bytes]]:
    """Methods, paths, headers and bodies, most of them nearly right."""
    paths = [
        "/generate",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/feedback",
        "/v1/models",
        "/healthz",
        "/metrics",
    ]
    good: list[dict[str, Any]] = [
        {"prompt": "Hi", "max_new_tokens": 2},
        {"messages": [{"role": "user", "content": "Hi"}], "max_new_tokens": 2, "stream": True},
        {"model": "champion", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2},
        {"model": "champion", "prompt": "Hi", "max_tokens": 2, "stream": True},
        {"id": "0", "rating": "good"},
    ]
    while True:
        method = chance.choice(["POST"] * 8 + ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW"])
        path = chance.choice(paths) if chance.random() < 0.9 else "/" + _text(chance).replace(" ", "%20")
        headers = {"Content-Type": "application/json"}
        if chance.random() < 0.1:
            headers = {chance.choice(["Content-Type", "X-A", "Accept", "Authorization"]): _header(chance)}
        body = json.dumps(_mutate(chance, chance.choice(good))).encode("utf-8", "surrogatepass")
        if chance.random() < 0.2:
            body = _damage(chance, body)
        yield method, path, headers, body


def _mutate(chance: random.Random, value: Any) -> Any:
    """The value with something in it exchanged."""
    if isinstance(value, dict) and chance.random() < 0.8:
        changed = {name: _mutate(chance, item) if chance.random() < 0.4 else item for name, item in value.items()}
        if chance.random() < 0.2:
            changed[_text(chance)] = _anything(chance)
        if changed and chance.random() < 0.1:
            changed.pop(chance.choice(list(changed)))
        return changed
    if isinstance(value, list) and chance.random() < 0.8:
        return [_mutate(chance, item) for item in value] * chance.choice([1, 1, 1, 2, 150])
    return _anything(chance)


def _anything(chance: random.Random) -> Any:
    numbers = [0, -1, 1, 2**31, 2**32, 2**63, 2**64, -(2**70), 1e308, -1e308, 1e-320, float("nan"), float("inf")]
    others: list[Any] = [
        None,
        True,
        False,
        [],
        {},
        [[]],
        {"a": {"a": {}}},
        "",
        " ",
        "\u0000",
        "\ud800",
        "\u202e",
        "user",
    ]
    return chance.choice([chance.choice(numbers), chance.choice(others), _text(chance), _text(chance) * 3_000])


def _text(chance: random.Random) -> str:
    alphabet = "abc ABC123{}[]\"'<>|\\/%&?#.,;:-_=+*~`´äßЖ中🙂\u200d\u0301\t\n"
    return "".join(chance.choice(alphabet) for _ in range(chance.randrange(1, 12)))


def _header(chance: random.Random) -> str:
    return "".join(chance.choice('abcXYZ019 /;=,.*-_"()\u00e4') for _ in range(chance.randrange(1, 400)))


def _damage(chance: random.Random, body: bytes) -> bytes:
    data = bytearray(body)
    for _ in range(chance.randrange(1, 8)):
        place = chance.randrange(len(data) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            data[place:place] = bytes([chance.randrange(256)])
        elif kind == 1:
            del data[place : place + chance.randrange(1, 20)]
        elif kind == 2:
            data[place:place] = b"[" * chance.choice([1, 10, 5_000])
        else:
            data[place:place] = b"\xff\xfe"
    return bytes(data)


async def _queue(session: aiohttp.ClientSession, address: str) -> float:
    async with session.get(f"{address}/metrics") as answer:
        found = _GAUGE.search(await answer.read())
    if found is None:
        raise PlatformError("/metrics does not tell llmops_queue_requests")
    return float(found.group(1))


async def _requests(address: str) -> float:
    """Requests that the service has counted."""
    async with aiohttp.ClientSession(headers=HEADERS) as session, session.get(f"{address}/metrics") as answer:
        text = await answer.text()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("llmops_requests_total"))


if __name__ == "__main__":
    sys.exit(main())
