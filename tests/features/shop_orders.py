"""Orders of the sample shop: as the pipeline's stages bring them, and as its raw files tell them."""

import csv
import re
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from llmops import recipe
from llmops.annotation.stage import annotate_rows
from llmops.cleaning.stage import clean_rows
from llmops.collection.stage import collect_sources
from llmops.manifest import Manifest
from llmops.redaction.stage import redact_rows
from llmops.settings import Settings

SHOP = Path(__file__).parents[2] / "examples/shop"  # `feast --chdir` moves the tests' process
CUSTOMERS = [f"C-10{number:02}" for number in range(1, 37)]
QUICKSTART = recipe.load(Path("recipes/quickstart.toml"))
_LINE = re.compile(r"Order (\S+) of (\d+) × (\S+), ([\d.]+) EUR, is (\w+); ordered at (\S+?Z)\.(?: .+)?", re.DOTALL)


@dataclass(frozen=True)
class Order:
    """What a line about an order says."""

    order_id: str
    quantity: str
    sku: str
    total_eur: float  # 110.0 in the database, 110.00 in the export
    status: str
    ordered_at: str


def make_day(lake: Path, day: date) -> tuple[Manifest, Manifest]:
    """The clean rows and the examples of a day of the shop."""
    settings = Settings(home=lake, lake=str(lake))
    places = {name: f"{lake}/{name}/ds={day}" for name in ("raw", "redacted", "clean", "examples")}
    collect_sources(str(SHOP), places["raw"], config=QUICKSTART.collect, day=day, settings=settings)
    redact_rows(places["raw"], places["redacted"], config=QUICKSTART.redact, settings=settings)
    clean = clean_rows(places["redacted"], places["clean"], config=QUICKSTART.clean, settings=settings)
    return clean, annotate_rows(places["clean"], places["examples"], config=QUICKSTART.annotate)


def read_line(line: str) -> Order:
    """What a line of the store says."""
    found = _LINE.fullmatch(line)
    assert found is not None, line
    order_id, quantity, sku, total, status, ordered_at = found.groups()
    return Order(order_id, quantity, sku, float(total), status, ordered_at)


def told_by_the_raw_files(days: Sequence[date], count: int) -> dict[str, list[Order]]:
    """The last `count` orders of each customer by the exports and the database, newest first, read by other means."""
    rows = []
    for day in days:
        with (SHOP / f"{day}/orders.csv").open(encoding="utf-8-sig", newline="") as file:
            rows += list(csv.DictReader(file))
    database = sqlite3.connect(f"file:{SHOP}/shop.sqlite?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    found = [dict(row) for row in database.execute("SELECT * FROM orders")]
    database.close()
    rows += [row for row in found if row["updated_at"][:10] in {day.isoformat() for day in days}]
    last: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: row["updated_at"]):
        last[row["customer_id"]][row["order_id"]] = row
    return {
        customer: [
            _order(row)
            for row in sorted(orders.values(), key=lambda row: (row["updated_at"], row["order_id"]), reverse=True)
        ][:count]
        for customer, orders in last.items()
    }


def _order(row: dict[str, str]) -> Order:
    total, quantity = float(row["total_eur"]), str(row["quantity"])
    return Order(row["order_id"], quantity, row["sku"], total, row["status"], row["ordered_at"])
