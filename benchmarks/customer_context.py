"""What a request pays for a customer's orders: `read_customer_context` against plain SQLite on the same table.

Ten thousand customers of five orders each in a store of their own; one process; customers drawn at random. The first
call, which imports Feast, is told apart. The plain read is one SELECT by the same key without decoding: the floor.
"""

import multiprocessing
import random
import shutil
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import pyarrow as pa

from llmops import logs
from llmops.features.online import find_customer
from llmops.features.views import CUSTOMERS
from llmops.settings import Settings
from llmops.signing import create_keys
from scripts.local_airflow import HOME, PROJECT
from scripts.prepare import apply_features
from scripts.verdict import judge

Key = TypeVar("Key", str, bytes)
BOUND_MS = 2.0
COUNT, READS, THREADS = 10_000, 5_000, 8
FOLDER = HOME / "benchmarks/customer_context"
_TABLE = f"llmops_{CUSTOMERS.name}"


def main() -> int:
    """Fill a store and measure; the exit status."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    apply_features(FOLDER)
    settings = Settings(home=FOLDER, lake=str(FOLDER), feature_repo=PROJECT / "feature_repo")
    logs.configure(settings.log_format)
    create_keys(settings=settings)  # with a key, each read asks for the pseudonyms as well
    filling = multiprocessing.get_context("spawn").Process(target=fill, args=(settings,))
    filling.start()  # in a process of its own, so that this one has not loaded Feast yet
    filling.join()
    asked = [f"C-{number}" for number in random.Random(7).choices(range(COUNT), k=READS)]  # noqa: S311 - no secret
    read = partial(find_customer, settings)
    first = in_milliseconds(read, asked[0])
    reads = [in_milliseconds(read, customer) for customer in asked]
    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        assert_all(list(pool.map(read, asked)))
    rate = READS / (time.perf_counter() - started)
    plain = measure_plain_sqlite()
    print(f"first call {first:,.0f} ms (loads Feast)")
    print(f"one thread:  p50 {percentile(reads, 50):.2f} ms, p99 {percentile(reads, 99):.2f} ms")
    print(f"{THREADS} threads:   {rate:,.0f} reads a second")
    print(f"plain SQLite: p50 {percentile(plain, 50):.3f} ms, p99 {percentile(plain, 99):.3f} ms")
    line, status = judge("customer_context", percentile(reads, 50), "<=", BOUND_MS)
    print(line)
    return status


def fill(settings: Settings) -> None:
    """Write all customers by the pipeline's own function."""
    from llmops.features.store import open_store, write_online  # noqa: PLC0415 - imports Feast

    logs.configure(settings.log_format)
    now = datetime.now(UTC)
    rows = [
        {
            "customer_id": f"C-{number}",
            "order_ids": [f"O-{number}-{order}" for order in range(5)],
            "orders": [
                f"Order O-{number}-{order} of 2 × FB-TENT-4, 449.00 EUR, is shipped; ordered at 2026-10-24T20:11:32Z."
                for order in range(5)
            ],
            "event_timestamp": now,
            "created": now,
            "content": "",
        }
        for number in range(COUNT)
    ]
    write_online(open_store(settings, CUSTOMERS), CUSTOMERS, pa.Table.from_pylist(rows, schema=CUSTOMERS.log))


def measure_plain_sqlite() -> list[float]:
    """Milliseconds of one SELECT by the store's own key, for keys drawn at random."""
    with sqlite3.connect(FOLDER / "feature_store/online.db") as database:
        keys = [key for (key,) in database.execute(f"SELECT DISTINCT entity_key FROM {_TABLE}")]  # noqa: S608
        query = f"SELECT feature_name, value FROM {_TABLE} WHERE entity_key = ?"  # noqa: S608 - our own table's name
        drawn = random.Random(7).choices(keys, k=READS)  # noqa: S311 - no secret
        return [in_milliseconds(lambda key: database.execute(query, (key,)).fetchall(), key) for key in drawn]


def in_milliseconds(read: Callable[[Key], object], key: Key) -> float:
    """How long a read takes that must find something."""
    started = time.perf_counter()
    found = read(key)
    seconds = time.perf_counter() - started
    assert_all([found])
    return seconds * 1000


def assert_all(found: Sequence[object]) -> None:
    """Stop if a read came back empty: its time would mean nothing."""
    if not all(found):
        raise LookupError("a customer that was written is not found")


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of the values do not exceed."""
    return statistics.quantiles(values, n=100)[percent - 1]


if __name__ == "__main__":
    sys.exit(main())
