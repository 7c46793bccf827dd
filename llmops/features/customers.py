"""What is known of each customer's orders: rows of a day to orders, orders of all days to the last few.

The last few are a function of the set of days alone: which day is materialised first makes no difference. A day that
is made anew replaces what it said before, so that a wrong order can be taken back.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from llmops import digests
from llmops.annotation.prompts import shorten
from llmops.features.views import CUSTOMERS

Row = dict[str, Any]
_AFTER = timedelta(microseconds=1)


def orders_of(rows: Iterable[Row], sources: Sequence[str], characters: int) -> tuple[list[Row], list[Row]]:
    """Rows of schemas.CLEAN out of these sources as rows of schemas.ORDER, one per order, and what is set aside.

    `characters` is the longest context. Of the rows that tell of one order the last counts; of those with equal event
    time the one whose source is named first; the others are its parents too.
    """
    rank = {name: place for place, name in enumerate(sources)}
    told: dict[tuple[str, str], list[Row]] = defaultdict(list)
    aside = []
    for row in rows:
        if row["subject_id"] and row["text"] and not (row["question"] and row["answer"]):
            told[row["subject_id"], _order_id(row)].append(row)
        else:
            reason = "names no customer" if not row["subject_id"] else "holds no text, or a question with its answer"
            aside.append({"row_id": row["row_id"], "rule": "no_order", "reason": reason, "uri": row["uri"]})
    orders = []
    for (subject_id, order_id), versions in sorted(told.items()):
        last = max(versions, key=lambda row: (row["event_time"], -rank[row["source"]], row["row_id"]))
        orders.append(
            {
                **{name: last[name] for name in ("row_id", "source", "event_time")},
                "parents": sorted(row["row_id"] for row in versions),
                "subject_id": subject_id,
                "order_id": order_id,
                "context": shorten(last["text"], characters),
            }
        )
    return orders, aside


def _order_id(row: Row) -> str:
    """The row's keys but for the customer's own; a row without any is an order of its own."""
    return " ".join(sorted(set(row["keys"]) - {row["subject_id"]})) or str(row["row_id"])


def recent_orders(days: Iterable[Sequence[Row]], count: int) -> dict[str, list[Row]]:
    """The `count` orders of each customer that changed last, newest first.

    `days` hold rows of schemas.ORDER, oldest day first; of versions of an order with equal event time the later day's
    counts.
    """
    last: dict[str, dict[str, Row]] = defaultdict(dict)
    for rows in days:
        for row in rows:
            held = last[row["subject_id"]].get(row["order_id"])
            if held is None or row["event_time"] >= held["event_time"]:
                last[row["subject_id"]][row["order_id"]] = row
    return {
        customer: sorted(orders.values(), key=lambda row: (row["event_time"], row["order_id"]), reverse=True)[:count]
        for customer, orders in last.items()
    }


def place_in_log(recent: dict[str, list[Row]], logged: pa.Table, now: datetime) -> tuple[pa.Table, pa.Table]:
    """All customers as rows of the view's log, in order of their id, and those that the log has not or otherwise.

    `logged` holds the log's `customer_id`, `event_timestamp`, `created` and `content`. A changed row is stamped later
    than the customer's last one, even if a late day or a correction left the newest order as it was: Feast takes the
    latest. A customer of the log who has no order any more gets a row without orders.
    """
    last: dict[str, Row] = {}
    for row in logged.to_pylist():
        held = last.get(row["customer_id"])
        if held is None or row["event_timestamp"] > held["event_timestamp"]:
            last[row["customer_id"]] = row
    placed, changed = [], []
    for customer in sorted({*recent, *last}):
        row, held = _as_log_row(customer, recent.get(customer, [])), last.get(customer)
        if held and held["content"] == row["content"]:
            row |= {"event_timestamp": held["event_timestamp"], "created": held["created"]}
        else:
            times = [order["event_time"] for order in recent.get(customer, [])[:1]]
            times += [held["event_timestamp"] + _AFTER] if held else []
            row |= {"event_timestamp": max(times), "created": now}
            changed.append(row)
        placed.append(row)
    return pa.Table.from_pylist(placed, schema=CUSTOMERS.log), pa.Table.from_pylist(changed, schema=CUSTOMERS.log)


def _as_log_row(customer: str, orders: Sequence[Row]) -> Row:
    says = {
        "customer_id": customer,
        "order_ids": [order["order_id"] for order in orders],
        "orders": [order["context"] for order in orders],
    }
    times = [order["event_time"] for order in orders]
    return {**says, "content": digests.of_json([says, times])}
