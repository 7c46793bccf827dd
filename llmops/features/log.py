"""The offline feature logs on disk or object store: folders of Parquet files, appended to and never rewritten."""

from collections.abc import Sequence
from io import BytesIO

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from llmops import digests, storage
from llmops.features.views import View


def read_log(lake: str, view: View, columns: Sequence[str], **key: str) -> pa.Table:
    """These columns of all rows of the view's log, or of those with these values of its join keys."""
    files, folder = fsspec.url_to_fs(view.log_uri(lake))
    tables = [pa.schema([view.log.field(name) for name in columns]).empty_table()]
    filters = [(name, "==", value) for name, value in key.items()] or None
    for path in sorted(files.glob(f"{folder}/*.parquet")):
        with files.open(path, "rb") as stream:
            tables.append(pq.read_table(stream, columns=list(columns), filters=filters))
    return pa.concat_tables(tables)


def append_to_log(lake: str, view: View, rows: pa.Table) -> None:
    """Add rows (`view.log`) as one file, whole or not at all, under a name made from their content.

    The file is written beside the folder first: dask, which reads it for Feast, would open even a hidden file in it.
    """
    if rows.num_rows == 0:
        return
    buffer = BytesIO()
    pq.write_table(rows, buffer, compression="zstd")
    name = f"{digests.of_rows(rows.drop_columns(['created']).to_batches())[:32]}.parquet"
    files, folder = fsspec.url_to_fs(view.log_uri(lake))
    storage.put(files, f"{folder}/{name}", buffer.getvalue(), scratch=folder.rsplit("/", 1)[0])
