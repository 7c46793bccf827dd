"""Feast's offline store: the logs of both feature views."""

from collections.abc import Iterator
from io import BytesIO

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from llmops.features.log import append_to_log
from llmops.features.views import CUSTOMERS, TRAINING, View
from llmops.governance.erasure.person import Person
from llmops.governance.erasure.places import Found, Places

_VIEWS = (TRAINING, CUSTOMERS)


def find(person: Person, places: Places) -> list[Found]:
    """Rows of examples that were made of the person's, and of the person as a customer."""
    found = []
    for view in _VIEWS:
        rows = [row for _, table in _files(view, places) for row in table.to_pylist() if person.concerns(row)]
        for row in rows:
            person.learn(row)
        if rows:
            found.append(Found(f"feature_store/{view.name}", len(rows)))
    return found


def erase(person: Person, places: Places) -> None:
    """Write each file's other rows anew, then delete it; what a reader in between meets twice, Feast joins as one."""
    files, _ = fsspec.url_to_fs(places.settings.lake)
    for view in _VIEWS:
        for path, table in list(_files(view, places)):
            stays = [not person.concerns(row) for row in table.to_pylist()]
            if not all(stays):
                append_to_log(places.settings.lake, view, table.filter(pa.array(stays, pa.bool_())))
                files.rm_file(path)


def _files(view: View, places: Places) -> Iterator[tuple[str, pa.Table]]:
    files, folder = fsspec.url_to_fs(view.log_uri(places.settings.lake))
    for path in sorted(files.glob(f"{folder}/*.parquet")):
        yield path, pq.read_table(BytesIO(files.cat_file(path)))
