"""`llmops clean`: normal form, unusable rows out, duplicates merged, on Spark."""

from typing import Annotated

import structlog
from cyclopts import Parameter
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name every Spark user knows
from pyspark.sql.pandas.types import from_arrow_schema

from llmops import artifacts, schemas, spark
from llmops.cleaning.config import CleanConfig
from llmops.cleaning.deduplicate import mark_exact, near_keepers
from llmops.cleaning.leftovers import COLUMN, redact_again
from llmops.cleaning.normalise import normalise_texts
from llmops.cleaning.quality import judge
from llmops.manifest import Manifest
from llmops.settings import Settings

STAGE, VERSION = "clean", 2
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

    Every dropped row goes to quarantine with its rule; a duplicate names the row that it was merged into. Personal data
    that redaction could not see before, because of how it was written, is replaced and counted (`leftover_…`).
    """
    source = artifacts.read(redacted, stage="redact")
    attempt = artifacts.begin(target, stage=STAGE, version=VERSION, config=config, inputs=[source])
    if attempt.committed:
        return attempt.committed
    ids = artifacts.read_table(source, columns=["row_id"])["row_id"].to_pylist()  # checks every file for Spark as well
    with spark.session(settings.spark_master, partitions=config.partitions) as session:
        log.info("spark.started", master=settings.spark_master)
        files = (artifacts.join(source.uri, name) for name in source.names(".parquet"))
        rows = session.read.schema(from_arrow_schema(schemas.REDACTED)).parquet(*files)
        kept, aside = split_rows(rows, config)
        kept = redact_again(kept, _TEXTS, config).cache()
        left = {row[0]: row[1] for row in kept.select(F.explode(COLUMN)).groupBy("col").count().collect()}
        kept.drop(COLUMN).coalesce(config.partitions).write.parquet(attempt.data_uri)
        aside.coalesce(1).write.parquet(attempt.quarantine_uri)
    return attempt.commit(
        input_ids=ids, counts={f"leftover_{kind.lower()}": count for kind, count in sorted(left.items())}
    )


def split_rows(rows: DataFrame, config: CleanConfig) -> tuple[DataFrame, DataFrame]:
    """The rows to keep (`schemas.CLEAN`) and those to set aside (`schemas.QUARANTINE`)."""
    marked = mark_exact(judge(normalise_texts(rows, _TEXTS), config)).cache()
    near = near_keepers(marked.where("rule IS NULL AND keeper = row_id"), config)
    # A row may repeat one that was then merged itself: `stays` is the one that stays.
    placed = marked.join(F.broadcast(near.toDF("keeper", "final")), "keeper", "left")
    placed = placed.withColumn("stays", F.coalesce("final", "keeper"))
    kept = placed.where("rule IS NULL AND stays = row_id")
    kept = kept.withColumns({"cluster_id": F.col("row_id"), "parents": F.array("row_id")})
    aside = _explain(placed.where("rule IS NOT NULL OR stays != row_id"))
    record = F.to_json(F.struct(*(F.col(name) for name in rows.columns)))
    aside = aside.withColumns({"record": record, "stage": F.lit(STAGE)})
    return kept.select(*schemas.CLEAN.names), aside.select(*schemas.QUARANTINE.names)


def _explain(aside: DataFrame) -> DataFrame:
    """Add `merged_into`, and rule and reason of the rows that are set aside as duplicates."""
    is_exact, is_refused = F.col("keeper") != F.col("row_id"), F.col("rule").isNotNull()
    rule = F.when(is_exact, "exact_duplicate").otherwise("near_duplicate")
    same, alike = "the same content as an earlier row", "nearly the same wording as an earlier row"
    return aside.withColumns(
        {
            "merged_into": F.when(~is_refused, F.col("stays")),
            "rule": F.coalesce("rule", rule),
            "reason": F.coalesce("reason", F.when(is_exact, same).otherwise(alike)),
        }
    )
