"""Open-loop load: requests arrive at a rate of their own, however slowly they are answered (Poisson arrivals).

`python -m benchmarks.load URL RATE SECONDS < body.json` writes one JSON line for every request: status, seconds and
when it was sent. A process of its own, so that it takes none of the service's time but the machine's.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(frozen=True)
class Sent:
    """A request and what became of it."""

    at: float
    """Seconds since the load began."""
    status: int
    """HTTP status; 0 when there was no answer at all."""
    seconds: float


def run(url: str, rate: float, seconds: float, body: dict[str, Any], headers: dict[str, str]) -> list[Sent]:
    """Put load on the service for so long, wait for the last answers, and tell of every request."""
    command = [sys.executable, "-m", "benchmarks.load", url, str(rate), str(seconds)]
    given = json.dumps({"body": body, "headers": headers})
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    return [Sent(**json.loads(line)) for line in done.stdout.splitlines()]


def percentile(values: list[float], share: float) -> float:
    """The smallest value that so large a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def _send_all(url: str, rate: float, seconds: float, body: bytes, headers: dict[str, str]) -> list[Sent]:
    found: list[Sent] = []
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=300)
    began = time.monotonic()

    async def send(session: aiohttp.ClientSession) -> None:
        started = time.monotonic()
        try:
            async with session.post(url, data=body) as answer:
                await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            status = 0
        found.append(Sent(started - began, status, time.monotonic() - started))

    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
        tasks: set[asyncio.Task[None]] = set()
        due = began
        while due < began + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(send(session))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += random.expovariate(rate)
        await asyncio.gather(*tasks)
    return found


def main() -> None:
    """Send, then print."""
    url, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    given = json.load(sys.stdin)
    headers = {"Content-Type": "application/json", **given["headers"]}
    random.seed(0)
    for sent in asyncio.run(_send_all(url, rate, seconds, json.dumps(given["body"]).encode(), headers)):
        print(json.dumps(sent.__dict__))


if __name__ == "__main__":
    main()
