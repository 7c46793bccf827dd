"""`llmops clean`: normal form, unusable rows out, duplicates merged, on Spark."""

from typing import Annotated

import structlog
from cyclopts import Parameter
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name every Spark user knows

from llmops import artifacts, schemas, spark
from llmops.artifacts import Manifest
from llmops.cleaning.config import CleanConfig
from llmops.cleaning.deduplicate import mark_exact, near_keepers
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
    judged = judge(normalise_texts(rows, _TEXTS), config)
    marked = mark_exact(judged).cache()
    near = near_keepers(marked.where("rule IS NULL AND keeper = row_id"), config)
    # A row may repeat one that was then merged itself: name the row that stays.
    placed = marked.join(F.broadcast(near.toDF("keeper", "final")), "keeper", "left")
    placed = placed.withColumn("stays", F.coalesce("final", "keeper"))
    kept = placed.where("rule IS NULL AND stays = row_id")
    kept = kept.withColumns({"cluster_id": F.col("row_id"), "parents": F.array("row_id")})
    aside = placed.where("rule IS NOT NULL OR stays != row_id").withColumns(
        {
            "merged_into": F.when(F.col("rule").isNull(), F.col("stays")),
            "rule": F.coalesce("rule", F.when(F.col("keeper") != F.col("row_id"), "exact_duplicate").otherwise("near_duplicate")),
            "reason": F.coalesce("reason", F.when(F.col("keeper") != F.col("row_id"), "the same content as an earlier row").otherwise("nearly the same wording as an earlier row")),
            "record": F.to_json(F.struct(*(F.col(name) for name in rows.columns))),
            "stage": F.lit(STAGE),
        }
    )
    return kept.select(*schemas.CLEAN.names), aside.select(*schemas.QUARANTINE.names)
