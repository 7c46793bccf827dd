"""Exact and near duplicates: every row that repeats an earlier one is merged into it by name.

Earlier means by event time, then row id, so that the result does not depend on the order of files. Rows with different
join keys or different numbers are never near duplicates: they are about different things, however alike their wording.
"""

from collections.abc import Callable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 - the name every Spark user knows

from llmops import similarity
from llmops.cleaning.config import CleanConfig

ArrowMap = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
_TEXTS = ("question", "answer", "text")


def mark_exact(rows: DataFrame) -> DataFrame:
    """Add `keeper`: the earliest row of equal question, answer, text and join keys, or the row itself.

    Rows that a rule refuses stand alone.
    """
    content = (F.coalesce(F.col(name), F.lit("")) for name in _TEXTS)
    alone = F.when(F.col("rule").isNotNull(), F.col("row_id"))
    same = Window.partitionBy(*content, F.to_json("keys"), alone).orderBy("event_time", "row_id")
    return rows.withColumn("keeper", F.first("row_id").over(same))


def near_keepers(rows: DataFrame, config: CleanConfig) -> DataFrame:
    """Pairs `row_id`, `keeper` of rows that nearly repeat an earlier one; chains lead to their first row.

    Candidates share a MinHash band with the earliest row of that band; each is verified by its Jaccard similarity.
    """
    texts = rows.select(
        "row_id", "event_time", F.concat_ws("\n", *_TEXTS).alias("body"), F.to_json("keys").alias("keys")
    )
    banded = texts.mapInArrow(_banded(config), "row_id string, event_time timestamp, band string")
    bucket = Window.partitionBy("band")
    candidates = (
        banded.select("row_id", F.min(F.struct("event_time", "row_id")).over(bucket)["row_id"].alias("keeper"))
        .where("row_id != keeper")
        .distinct()
    )
    earlier = texts.select(F.col("row_id").alias("keeper"), F.col("body").alias("keeper_body"), "keys", "event_time")
    pairs = candidates.join(texts.drop("event_time"), "row_id").join(earlier, ["keeper", "keys"])
    verified = pairs.mapInArrow(_alike(config), "row_id string, keeper string, event_time timestamp")
    first = F.min(F.struct("event_time", "keeper")).alias("first")
    nearest = verified.groupBy("row_id").agg(first).select("row_id", "first.*")
    return rows.sparkSession.createDataFrame(_follow_chains(nearest.toArrow()))


def _banded(config: CleanConfig) -> ArrowMap:
    def add_bands(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found = [
                (row["row_id"], row["event_time"], f"{band}|{row['keys']}|{similarity.numbers(row['body'])}")
                for row in batch.to_pylist()
                for band in similarity.bands(row["body"], config.shingle_characters, config.permutations)
            ]
            columns = list(zip(*found, strict=True)) or [(), (), ()]
            kinds = (pa.string(), pa.timestamp("us", tz="UTC"), pa.string())
            arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, names=["row_id", "event_time", "band"])

    return add_bands


def _alike(config: CleanConfig) -> ArrowMap:
    def verify(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = batch.select(["body", "keeper_body"]).to_pylist()
            scores = (similarity.jaccard(row["body"], row["keeper_body"], config.shingle_characters) for row in rows)
            mask = pa.array([score >= config.similarity_threshold for score in scores], pa.bool_())
            yield batch.select(["row_id", "keeper", "event_time"]).filter(mask)

    return verify


def _follow_chains(pairs: pa.Table) -> pa.Table:
    """Follow keepers that were merged themselves until each pair names a row that stays.

    On the driver, which holds a day's row ids at commit as well: a join per link would take longer than all the rest.
    """
    final: dict[str, str] = {}
    for pair in pairs.sort_by([("event_time", "ascending"), ("keeper", "ascending")]).to_pylist():
        final[pair["row_id"]] = final.get(pair["keeper"], pair["keeper"])  # the keeper's own keeper came before it
    columns = [pa.array(final.keys(), pa.string()), pa.array(final.values(), pa.string())]
    return pa.table(columns, names=["row_id", "keeper"])
