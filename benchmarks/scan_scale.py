"""What scanning text for the patterned types costs in Spark, by row: of a tenth of the data, and of all of it.

`python -m benchmarks.scan_scale --megabytes 1000` writes support texts as Parquet (made-up sentences with values
planted in one of twenty rows), scans a tenth and then all of them in `mapInArrow`, and counts the CPU seconds of the
Java and Python processes together, from a warm session.

Where the time goes, of 276 bytes a row, on two shared cores: reading Parquet, Arrow and the processes between Java and
Python take 4 to 6 µs a row (measured with a scan that only counts rows). Of the 38 µs in Python, 12 are RE2's, 3 go to
texts with characters that need another look, and 22 to `find` in the 22 % of the rows that hold a hint: numbers of
tickets, dates and amounts that could be of a phone above all. A session's start and the workers' imports cost some 11
CPU seconds once, and are not counted.
"""

import argparse
import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from benchmarks.planted import planted
from llmops import spark
from llmops.guards import batches, personal_data
from llmops.tagging import sentences
from scripts.local_airflow import HOME
from scripts.verdict import judge

FOLDER = HOME / "benchmarks/scan_scale"
MEGABYTE = 1_000_000
SENTENCES_PER_ROW = 6
BASE_ROWS = 20_000
PARTS = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, scan and judge; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    megabytes = parser.parse_args(arguments).megabytes
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    sizes = write(megabytes)
    with spark.session("local[2]", partitions=2) as session:
        scan(session, [FOLDER / "part-0.parquet"])  # starts the workers, loads what they import
        tenth, rows_tenth = scan(session, [FOLDER / "part-0.parquet"])
        whole, rows_whole = scan(session, [FOLDER / f"part-{part}.parquet" for part in range(PARTS)])
    total = sum(sizes) / MEGABYTE
    for megabyte, rows, seconds in ((sizes[0] / MEGABYTE, rows_tenth, tenth), (total, rows_whole, whole)):
        print(f"{megabyte:,.0f} MB, {rows:,} rows: {seconds:,.1f} CPU s, {1e6 * seconds / rows:,.0f} µs a row")
    growth = (whole / rows_whole) / (tenth / rows_tenth)
    lines = (
        judge("cost of a row, all over a tenth", growth, "<=", 1.1),
        judge("MB per CPU second", total / whole, ">=", 5),
    )
    print("\n".join(line for line, _ in lines))
    return int(any(failed for _, failed in lines))


def write(megabytes: int) -> list[int]:
    """Files of equal size; the bytes of text in each. No two rows are equal."""
    draws = random.Random(5)  # noqa: S311 - texts, not secrets
    remarks = ("Where is my order?", "It arrived broken, please refund me.", "How long does the delivery take?")
    prose = [item.text for item in sentences.make(BASE_ROWS, draws, invented=0.2, remarks=remarks)]
    values = [words for _, _, words in planted(BASE_ROWS // 20, seed=5)]
    rows = [" ".join(draws.choices(prose, k=SENTENCES_PER_ROW)) for _ in range(BASE_ROWS)]
    rows = [f"{row} {values[place // 20]}" if place % 20 == 0 else row for place, row in enumerate(rows)]
    per_part = megabytes * MEGABYTE // PARTS
    sizes, number = [], 0
    for part in range(PARTS):
        texts: list[str] = []
        size = 0
        while size < per_part:
            texts.append(f"Ticket {number}: {rows[number % BASE_ROWS]}")
            size += len(texts[-1].encode())
            number += 1
        pq.write_table(pa.table({"text": texts}), FOLDER / f"part-{part}.parquet", row_group_size=20_000)
        sizes.append(size)
    return sizes


def scan(session: SparkSession, files: list[Path]) -> tuple[float, int]:
    """CPU seconds of all processes for the files, and their rows."""
    before = _cpu_seconds()
    rows: DataFrame = session.read.parquet(*(str(file) for file in files)).mapInArrow(_scan, "type string, found long")
    found = {row["type"]: row["found"] for row in rows.groupBy("type").sum("found").toDF("type", "found").collect()}
    if found["EMAIL"] == 0:
        raise AssertionError("the planted values were not found")
    return _cpu_seconds() - before, found["rows"]


def _scan(parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for part in parts:
        found = Counter({"rows": part.num_rows, "EMAIL": 0})
        for spans in batches.find_many(part["text"], personal_data.PATTERNED):
            found.update(span.type for span in spans)
        yield pa.RecordBatch.from_pydict({"type": list(found), "found": list(found.values())})


def _cpu_seconds() -> float:
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return float(sum(time.user + time.system + time.children_user + time.children_system for time in times))


if __name__ == "__main__":
    sys.exit(main())
