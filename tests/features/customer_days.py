"""A day of orders, written by hand: rows as `clean` leaves them, and their way into the feature store."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from llmops import artifacts, schemas
from llmops.annotation.config import AnnotateConfig
from llmops.annotation.stage import annotate_rows
from llmops.cleaning.config import CleanConfig
from llmops.features.config import MaterializeCustomersConfig
from llmops.features.customer_stage import materialize_customers
from llmops.manifest import Manifest
from llmops.settings import Settings

DAY = date(2026, 11, 2)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
CONFIG = MaterializeCustomersConfig(sources=("shop", "export"), orders=3)


def order(order_id: str, customer: str | None, status: str = "paid", **others: Any) -> dict[str, Any]:
    """A clean row about an order, at noon of the first day."""
    row_id = f"{order_id}-{customer}-{status}-{others.get('source', 'shop')}"
    return {
        **dict.fromkeys(schemas.CLEAN.names),
        "row_id": row_id,
        "parents": [row_id],
        "source": "shop",
        "kind": "sql",
        "uri": "shop.sqlite",
        "position": 0,
        "event_time": NOON,
        "subject_id": customer,
        "keys": sorted({order_id, customer} - {None}),  # type: ignore[type-var] # None is taken out
        "text": f"Order {order_id} is {status}.",
        "cluster_id": row_id,
        **others,
    }


def commit_day(
    lake: str, rows: Sequence[dict[str, Any]], day: date = DAY, annotation: AnnotateConfig | None = None
) -> tuple[Manifest, Manifest]:
    """Rows as `clean` leaves them, and the examples that `annotate` makes of them."""
    attempt = artifacts.begin(f"{lake}/clean/ds={day}", stage="clean", version=1, config=CleanConfig())
    clean = attempt.write_table(pa.Table.from_pylist(list(rows), schema=schemas.CLEAN), schemas.CLEAN).commit()
    with artifacts.recomputing():
        return clean, annotate_rows(clean.uri, f"{lake}/examples/ds={day}", config=annotation or AnnotateConfig())


def materialize(
    settings: Settings,
    rows: Sequence[dict[str, Any]],
    day: date = DAY,
    config: MaterializeCustomersConfig = CONFIG,
    annotation: AnnotateConfig | None = None,
) -> Manifest:
    clean, examples = commit_day(settings.lake, rows, day, annotation)
    target = f"{settings.lake}/customers/ds={day}"
    return materialize_customers(clean.uri, examples.uri, target, config=config, settings=settings)
