"""The sample shop's own orders, from its raw files into the online store and back as lines of a prompt."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llmops import artifacts
from llmops.annotation.config import AnnotateConfig
from llmops.annotation.stage import annotate_rows, make_examples
from llmops.features import online
from llmops.features.customer_stage import materialize_customers
from llmops.features.online import find_customer, read_customer_context, show_customer
from llmops.features.views import CUSTOMERS as VIEW
from llmops.manifest import Manifest
from llmops.settings import Settings
from tests.features.conftest import ApplyFeatures
from tests.features.shop_orders import CUSTOMERS, QUICKSTART, make_day, read_line, told_by_the_raw_files

DAYS = [date(2026, 11, 2), date(2026, 11, 3), date(2026, 11, 5)]
CONFIG = QUICKSTART.materialize_customers
Shop = dict[date, tuple[Manifest, Manifest]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Clean rows and examples of three days."""
    lake = tmp_path_factory.mktemp("shop")
    return {day: make_day(lake, day) for day in DAYS}


def materialize(shop: Shop, settings: Settings, days: Sequence[date]) -> dict[date, Manifest]:
    """The days one after another into the feature store of another lake."""
    return {
        day: materialize_customers(
            shop[day][0].uri, shop[day][1].uri, f"{settings.lake}/customers/ds={day}", config=CONFIG, settings=settings
        )
        for day in days
    }


def online_rows(settings: Settings) -> dict[str, Any]:
    found = {customer: find_customer(settings, customer) for customer in CUSTOMERS}
    return {customer: astuple(row) for customer, row in found.items() if row}


def offline_rows(settings: Settings) -> dict[str, tuple[list[str], list[str]]]:
    """What Feast's point-in-time join says of all customers as of now."""
    from llmops.features.store import open_store  # noqa: PLC0415 - imports Feast, slowly

    wanted = pd.DataFrame({"customer_id": CUSTOMERS, "event_timestamp": datetime.now(UTC)})
    references = [f"{VIEW.name}:{name}" for name in VIEW.features]
    found = open_store(settings, VIEW).get_historical_features(entity_df=wanted, features=references).to_arrow()
    return {
        row["customer_id"]: (row["order_ids"], row["orders"])
        for row in found.to_pylist()
        if row["order_ids"] is not None
    }


def test_customers_have_the_last_orders_that_the_raw_files_tell(
    shop: Shop, apply_features: ApplyFeatures, tmp_path: Path
) -> None:
    settings = apply_features(tmp_path / "lake")
    materialize(shop, settings, DAYS)

    told = told_by_the_raw_files(DAYS, CONFIG.orders)

    assert len(told) > 25
    for customer in CUSTOMERS:
        lines = read_customer_context(settings, customer)
        assert [read_line(line) for line in lines or []] == told.get(customer, []), customer
        assert (lines is None) is (customer not in told)


def test_days_in_any_order_give_the_same_rows_and_digests(
    shop: Shop, apply_features: ApplyFeatures, tmp_path: Path
) -> None:
    found = []
    for name, days in (("forward", DAYS), ("backward", DAYS[::-1]), ("late", [DAYS[0], DAYS[2], DAYS[1]])):
        settings = apply_features(tmp_path / name)
        made = materialize(shop, settings, days)
        rows = online_rows(settings)
        assert offline_rows(settings) == {key: (list(row[1]), list(row[2])) for key, row in rows.items()}
        found.append((rows, {day: manifest.digest for day, manifest in made.items()}))

    assert found[0] == found[1] == found[2]
    delivered = [line for line in found[1][0]["C-1020"][2] if line.startswith("Order O-20445 ")]
    assert "is delivered;" in delivered[0]  # paid on the first day, which came last
    assert len(delivered) == 1


@pytest.mark.parametrize("characters", [QUICKSTART.annotate.context_characters, 60])
def test_an_order_reads_as_in_the_training_context_it_became(
    shop: Shop, apply_features: ApplyFeatures, tmp_path: Path, characters: int
) -> None:
    settings, (clean, _) = apply_features(tmp_path / "lake"), shop[DAYS[0]]
    annotation = AnnotateConfig(context_characters=characters)
    examples = annotate_rows(clean.uri, f"{tmp_path}/examples", config=annotation)
    made = materialize_customers(
        clean.uri, examples.uri, f"{settings.lake}/customers/ds={DAYS[0]}", config=CONFIG, settings=settings
    )
    rows = artifacts.read_table(clean).to_pylist()
    by_id = {row["row_id"]: row for row in rows}
    knowledge = {row["row_id"]: row["context"] for row in artifacts.read_table(examples).to_pylist()}

    compared = 0
    for order in artifacts.read_table(made).to_pylist():
        found = find_customer(settings, order["subject_id"])
        assert found is not None
        if order["order_id"] not in found.order_ids:
            continue  # older than the last five
        line = found.orders[found.order_ids.index(order["order_id"])]
        row = by_id[order["row_id"]]
        question = {**row, "row_id": "q", "question": "Where is my order?", "answer": "See above.", "text": None}
        (pair,) = [item for item in make_examples([row, question], annotation) if item["is_pair"]]
        assert line == knowledge[order["row_id"]] == pair["context"]
        assert f"[Context]\n{line}\n[Question]" in pair["prompt"]
        compared += 1
    assert compared > 40


@pytest.mark.parametrize(
    "stranger", ["", "C-101", "C-1013 ", "c-1013", "C-9999", "%", "' OR 1=1 --", "\ud800", "O-20401"]
)
def test_whoever_is_not_a_customer_is_unknown(
    shop: Shop, apply_features: ApplyFeatures, tmp_path: Path, stranger: str
) -> None:
    settings = apply_features(tmp_path / "lake")
    materialize(shop, settings, DAYS[:1])

    assert read_customer_context(settings, "C-1013") is not None
    assert read_customer_context(settings, stranger) is None


def test_threads_that_start_together_each_get_their_own_customer(
    shop: Shop, apply_features: ApplyFeatures, tmp_path: Path
) -> None:
    settings = apply_features(tmp_path / "lake")
    materialize(shop, settings, DAYS[:1])
    told = told_by_the_raw_files(DAYS[:1], CONFIG.orders)
    online._open.cache_clear()  # as in a process that has read nothing yet

    with ThreadPoolExecutor(8) as pool:
        asked = CUSTOMERS * 20
        answers = list(pool.map(lambda customer: read_customer_context(settings, customer), asked))

    for customer, lines in zip(asked, answers, strict=True):
        assert [read_line(line) for line in lines or []] == told.get(customer, [])


def test_show_customer_prints_the_lines_and_their_time(
    shop: Shop, apply_features: ApplyFeatures, tmp_path: Path
) -> None:
    settings = apply_features(tmp_path / "lake")
    materialize(shop, settings, DAYS)

    shown = show_customer("C-1019", settings=settings).splitlines()

    # examples/shop/2026-11-05/orders.csv: O-20454, changed at 14:44:31
    assert shown[0].split() == ["customer", "C-1019"]
    assert shown[1].split() == ["event_time", "2026-11-05T14:44:31+00:00"]
    assert shown[3].split() == ["orders", "O-20454"]
    assert read_line(shown[4]).status == "shipped"
    assert "aoife.byrne@example.org" not in shown[4]
