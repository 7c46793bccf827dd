"""What happens to /generate when more is asked than can be answered: twice and ten times as much, for minutes.

A small model answers on the CPU engine, so that what is measured is the service. Capacity is what it answers with all
places taken; nominal is the 99th percentile of answers at 80 % of that. Under overload the 99th percentile of what is
admitted must stay within twice nominal, refusals must come within 50 ms, nothing else may fail, memory must not grow,
and five seconds after it has ended, answers must be as quick as before. The figure is the worst of the admitted 99th
percentiles over nominal.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from benchmarks import load
from benchmarks.load import Sent, percentile
from benchmarks.release import make_tiny_release
from llmops.settings import Settings
from scripts import demo, service
from scripts.access import UNLIMITED, make_key
from scripts.local_airflow import HOME, PlatformError
from scripts.loopback import free_port
from scripts.memory import MemoryWatch
from scripts.processes import Processes
from scripts.verdict import judge

BOUND = 2.0
REFUSAL_SECONDS = 0.05
MEMORY_GROWTH = 1.1
PLACES = 8
NEW_TOKENS = 400
BODY = {"prompt": "Where is my parcel?", "model": "base", "max_new_tokens": NEW_TOKENS}
HEADERS: dict[str, str] = {}
FOLDER = HOME / "benchmarks/overload"


def main() -> int:
    """Measure; the exit status."""
    parser = argparse.ArgumentParser(prog="overload")
    parser.add_argument("--seconds", type=float, default=300, help="length of each overload")
    seconds = parser.parse_args().seconds
    settings = make_tiny_release(Settings(home=FOLDER.absolute()))
    processes = Processes(HOME / "run")
    limits = {
        "LLMOPS_HOME": str(settings.home),
        "LLMOPS_SERVING_QUEUE_SIZE": str(PLACES),
        "LLMOPS_SERVING_THREADS": "1",
        "LLMOPS_SERVING_CUSTOMER_CONTEXT": "false",
        **UNLIMITED,
    }
    HEADERS["Authorization"] = f"Bearer {make_key(settings.home)}"
    try:
        with demo.ended_afterwards(processes), MemoryWatch(processes) as memory:
            url = f"{service.start(processes, free_port(), Path(settings.lake), limits)}/generate"
            return measure(url, seconds, memory)
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def measure(url: str, seconds: float, memory: MemoryWatch) -> int:
    """All loads, one after the other; the exit status."""
    load.run(url, 4, 5, BODY, HEADERS)  # the base model is loaded when it is first asked
    capacity = len(answered(load.run(url, 200, 20, BODY, HEADERS))) / 20
    nominal = percentile([sent.seconds for sent in answered(load.run(url, 0.8 * capacity, 60, BODY, HEADERS))], 0.99)
    print(f"capacity {capacity:.1f} answers/s with {PLACES} places; nominal p99 {nominal:.3f} s")
    print(f"{'load':>6}{'sent':>8}{'answered':>10}{'p99 s':>8}{'refused p99 s':>15}{'others':>8}{'GiB':>7}")
    worst, faults = 0.0, Counter[str]()
    for times in (2, 10):
        before = memory.peak_bytes
        found = load.run(url, times * capacity, seconds, BODY, HEADERS)
        after = load.run(url, 0.5 * capacity, 15, BODY, HEADERS)
        admitted = percentile([sent.seconds for sent in answered(found)], 0.99)
        refusals = [sent.seconds for sent in found if sent.status in {429, 503}] or [0.0]
        others = Counter(sent.status for sent in found if sent.status not in {200, 429, 503})
        back = percentile([sent.seconds for sent in answered(after) if sent.at > 5], 0.99)
        print(
            f"{times:>5}x{len(found):>8}{len(answered(found)):>10}{admitted:>8.3f}{percentile(refusals, 0.99):>15.4f}"
            f"{sum(others.values()):>8}{memory.peak_bytes / 2**30:>7.2f}   5 s later: p99 {back:.3f} s"
        )
        worst = max(worst, admitted / nominal)
        faults["refusals took too long"] += percentile(refusals, 0.99) > REFUSAL_SECONDS
        faults[f"other answers: {dict(others)}"] += bool(others)
        faults["memory grew"] += times > 2 and memory.peak_bytes > MEMORY_GROWTH * before
        faults["not back to normal after 5 s"] += back > 2 * nominal
    for fault in (name for name, count in faults.items() if count):
        print(f"not held: {fault}")
    line, status = judge("overload", worst, "<=", BOUND)
    print(line)
    return status or int(any(faults.values()))


def answered(found: list[Sent]) -> list[Sent]:
    """What was answered."""
    return [sent for sent in found if sent.status == 200]


if __name__ == "__main__":
    sys.exit(main())
