"""The Spark session of a stage: started when needed, stopped at the end."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession


@contextmanager
def session(master: str, *, partitions: int) -> Iterator[SparkSession]:
    """A Spark session on `master` (such as `local[*]`), in UTC, stopped when the block ends."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    logging.getLogger("py4j").setLevel(logging.WARNING)  # it tells of every connection, even at interpreter exit
    builder = SparkSession.builder.master(master).appName("llmops").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.session.timeZone", "UTC").config(
        "spark.sql.shuffle.partitions", str(partitions)
    )
    spark = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()
