"""`llmops clean`: normal form, unusable rows out, duplicates merged, on Spark."""

from typing import Annotated

import structlog
from cyclopts import Parameter
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name every Spark user knows

from llmops import artifacts, schemas, spark
from llmops.artifacts import Manifest
from llmops.cleaning.config import CleanConfig
from llmops.cleaning.deduplicate import exact_keepers, near_keepers
from llmops.cleaning.normalise import normalise_texts
from llmops.cleaning.quality import judge
from llmops.settings import Settings

STAGE, VERSION = "clean", 1
_TEXTS = ("question", "answer", "text")
log = structlog.get_logger()


def clean_rows(
    redacted: str,
    target: str,
    *,
    config: CleanConfig,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Clean the rows of `redacted` (`schemas.REDACTED`) into `target` (`schemas.CLEAN`).

    Every dropped row goes to quarantine with its rule; a duplicate names the row that it was merged into.
    """
    source = artifacts.read(redacted, stage="redact")
    attempt = artifacts.begin(target, stage=STAGE, version=VERSION, config=config, inputs=[source])
    if attempt.committed:
        return attempt.committed
    with spark.session(settings.spark_master, partitions=config.partitions) as session:
        log.info("spark.started", master=settings.spark_master)
        rows = session.read.parquet(*(artifacts.join(source.uri, name) for name in source.names(".parquet")))
        kept, aside = split_rows(rows, config)
        kept.coalesce(config.partitions).write.parquet(attempt.data_uri)
        aside.coalesce(1).write.parquet(attempt.quarantine_uri)
    ids = artifacts.read_table(source, columns=["row_id"])["row_id"].to_pylist()
    return attempt.commit(input_ids=ids)


def split_rows(rows: DataFrame, config: CleanConfig) -> tuple[DataFrame, DataFrame]:
    """The rows to keep (`schemas.CLEAN`) and those to set aside (`schemas.QUARANTINE`)."""
    judged = judge(normalise_texts(rows, _TEXTS), config).cache()
    usable = judged.where("rule IS NULL").drop("rule", "reason")
    exact = exact_keepers(usable).localCheckpoint()
    distinct = usable.join(exact, "row_id", "left_anti").cache()
    near = near_keepers(distinct, config)
    kept = distinct.join(near, "row_id", "left_anti").withColumn("cluster_id", F.col("row_id"))
    kept = kept.withColumn("parents", F.array("row_id"))
    # A row may repeat one that was then merged itself: name the row that stays.
    exact = exact.join(near.toDF("keeper", "final"), "keeper", "left")
    exact = exact.select("row_id", F.coalesce("final", "keeper").alias("keeper"))
    aside = (
        judged.where("rule IS NOT NULL")
        .withColumn("merged_into", F.lit(None).cast("string"))
        .unionByName(_merged(usable, exact, "exact_duplicate", "the same content as an earlier row"))
        .unionByName(_merged(usable, near, "near_duplicate", "nearly the same wording as an earlier row"))
    )
    record = F.to_json(F.struct(*(F.col(name) for name in rows.columns)))
    aside = aside.withColumns({"record": record, "stage": F.lit(STAGE)})
    return kept.select(*schemas.CLEAN.names), aside.select(*schemas.QUARANTINE.names)


def _merged(rows: DataFrame, keepers: DataFrame, rule: str, reason: str) -> DataFrame:
    merged = rows.join(keepers.withColumnRenamed("keeper", "merged_into"), "row_id")
    return merged.withColumns({"rule": F.lit(rule), "reason": F.lit(reason)})
