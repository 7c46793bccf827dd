"""Personal data that shows once a text is in normal form: looked for again, and taken out."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import types as T  # noqa: N812 - the name every Spark user knows

from llmops.cleaning.config import CleanConfig
from llmops.guards import batches, personal_data

COLUMN = "leftovers"


def redact_again(rows: DataFrame, columns: Sequence[str], config: CleanConfig) -> DataFrame:
    """The rows with `<TYPE>` for what is found in the named text columns; its types in `leftovers` (strings)."""
    types, regions = config.personal_data_types, config.phone_regions

    def scan(parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return (scan_batch(part, columns, types, regions) for part in parts)

    schema = T.StructType([*rows.schema.fields, T.StructField(COLUMN, T.ArrayType(T.StringType()))])
    return rows.mapInArrow(scan, schema)


def scan_batch(
    batch: pa.RecordBatch, columns: Sequence[str], types: Sequence[str], regions: Sequence[str]
) -> pa.RecordBatch:
    """The batch with what is found replaced, and one more column, `leftovers`."""
    found: list[list[str]] = [[] for _ in range(batch.num_rows)]
    arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
    for column in columns:
        texts = arrays[column].to_pylist()
        for place, spans in enumerate(batches.find_many(arrays[column], types, regions)):
            if spans:
                texts[place] = personal_data.redact(texts[place], spans)
                found[place] += [span.type for span in spans]
        arrays[column] = pa.array(texts, pa.string())
    return pa.RecordBatch.from_pydict({**arrays, COLUMN: pa.array(found, pa.list_(pa.string()))})
