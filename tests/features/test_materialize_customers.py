"""What `materialize-customers` makes of a day's rows, and what the online store says after corrections and kills."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llmops import artifacts
from llmops.annotation.config import AnnotateConfig
from llmops.errors import ConfigurationError, CorruptArtifactError, MissingArtifactError, Refused
from llmops.features import online
from llmops.features.config import MaterializeCustomersConfig
from llmops.features.customer_stage import materialize_customers
from llmops.features.online import find_customer, read_customer_context, show_customer
from llmops.redaction.config import RedactConfig
from llmops.redaction.stage import redact_row
from llmops.settings import Settings
from llmops.signing import create_keys
from tests.features.conftest import REPO, ApplyFeatures
from tests.features.customer_days import CONFIG, DAY, NOON, commit_day, materialize, order

NEXT_DAY = DAY + timedelta(days=1)


@pytest.fixture
def settings(apply_features: ApplyFeatures, tmp_path: Path) -> Settings:
    """A lake with a feature store and nothing in it, and keys."""
    applied = apply_features(tmp_path / "lake")
    settings = Settings(home=tmp_path, lake=applied.lake, feature_repo=applied.feature_repo)
    create_keys(settings=settings)
    return settings


def read_log(settings: Settings) -> list[dict[str, Any]]:
    folder = Path(settings.lake, "feature_store", "customer_recent_orders")
    rows: list[dict[str, Any]] = [row for path in folder.iterdir() for row in pq.read_table(path).to_pylist()]
    return sorted(rows, key=lambda row: (row["customer_id"], row["event_timestamp"]))


def test_the_last_version_of_an_order_counts_and_every_row_is_accounted_for(settings: Settings) -> None:
    later = NOON + timedelta(hours=1)
    rows = [
        order("O-1", "C-1", "shipped", event_time=later),
        order("O-1", "C-1", "paid"),
        order("O-2", "C-1", "paid", source="export", text="Order O-2 is paid. Ring twice."),
        order("O-2", "C-1", "paid"),
        order("O-3", None),
        order("O-4", "C-1", question="Where is it?", answer="On its way."),
        order("O-5", "C-1", source="reviews"),
    ]

    made = materialize(settings, rows)

    assert read_customer_context(settings, "C-1") == ["Order O-1 is shipped.", "Order O-2 is paid."]
    kept = {row["order_id"]: row for row in artifacts.read_table(made).to_pylist()}
    assert {name: set(row["parents"]) for name, row in kept.items()} == {
        "O-1": {"O-1-C-1-paid-shop", "O-1-C-1-shipped-shop"},
        "O-2": {"O-2-C-1-paid-shop", "O-2-C-1-paid-export"},
    }
    aside = {row["row_id"]: row["reason"] for row in artifacts.read_table(made, quarantine=True).to_pylist()}
    assert aside == {
        "O-3-None-paid-shop": "names no customer",
        "O-4-C-1-paid-shop": "holds no text, or a question with its answer",
    }


def test_only_the_last_orders_are_kept_newest_first(settings: Settings) -> None:
    rows = [order(f"O-{hour}", "C-1", event_time=NOON + timedelta(hours=hour)) for hour in (3, 1, 4, 0, 2)]

    materialize(settings, rows)

    found = find_customer(settings, "C-1")
    assert found is not None
    assert found.order_ids == ("O-4", "O-3", "O-2")
    assert found.event_time == NOON + timedelta(hours=4)


def test_a_late_day_adds_to_newer_orders_and_replaces_none(settings: Settings) -> None:
    next_noon = NOON + timedelta(days=1)
    repeated = order("O-2", "C-1", "packed", event_time=NOON - timedelta(hours=1))  # what was true before
    materialize(settings, [order("O-1", "C-1", "delivered", event_time=next_noon), repeated], NEXT_DAY)

    materialize(settings, [order("O-1", "C-1", "paid"), order("O-2", "C-1"), order("O-3", "C-2")])

    found = find_customer(settings, "C-1")
    assert found is not None
    assert found.orders == ("Order O-1 is delivered.", "Order O-2 is paid.")
    assert found.event_time == next_noon
    assert read_customer_context(settings, "C-2") == ["Order O-3 is paid."]


def test_a_rerun_does_nothing_and_one_after_a_kill_ends_the_same(settings: Settings) -> None:
    rows = [order("O-1", "C-1"), order("O-2", "C-2")]
    first = materialize(settings, rows)
    log = read_log(settings)

    assert materialize(settings, rows) == first
    # As a run leaves it that is killed after its online writes, and as one that is killed before the manifest.
    for name in ("feature_store/customer_recent_orders", "customers"):
        shutil.rmtree(Path(settings.lake, name))
    Path(settings.lake, "feature_store/customer_recent_orders").mkdir()
    again = materialize(settings, rows)
    shutil.rmtree(Path(settings.lake, "customers"))
    once_more = materialize(settings, rows)

    assert first.digest == again.digest == once_more.digest
    assert [row | {"created": None} for row in read_log(settings)] == [row | {"created": None} for row in log]
    assert read_customer_context(settings, "C-1") == ["Order O-1 is paid."]


def test_an_order_of_the_wrong_customer_can_be_taken_back(settings: Settings) -> None:
    materialize(settings, [order("O-1", "C-1"), order("O-2", "C-2"), order("O-3", "C-2")])
    materialize(settings, [order("O-4", "C-3")], NEXT_DAY)

    materialize(settings, [order("O-1", "C-3"), order("O-2", "C-2")])

    assert read_customer_context(settings, "C-1") is None
    assert read_customer_context(settings, "C-2") == ["Order O-2 is paid."]
    assert read_customer_context(settings, "C-3") == ["Order O-4 is paid.", "Order O-1 is paid."]
    stamps = [(row["customer_id"], row["event_timestamp"]) for row in read_log(settings)]
    assert len(set(stamps)) == len(stamps)  # of two rows with one stamp, Feast would take either


def test_more_orders_are_kept_once_the_days_are_made_with_the_new_number(settings: Settings) -> None:
    rows = [order(f"O-{number}", "C-1") for number in range(4)]

    for count in (3, 1, 4):
        materialize(settings, rows, config=CONFIG.model_copy(update={"orders": count}))
        assert len(read_customer_context(settings, "C-1") or []) == count


def test_a_customer_named_by_an_address_is_found_by_it_and_kept_under_a_pseudonym(settings: Settings) -> None:
    key = settings.pseudonym_key.read_text()
    plain = order("O-1", "Kari@Example.org")
    redacted = redact_row(plain, RedactConfig(), lambda: bytes.fromhex(key))

    made = materialize(settings, [{**redacted, "row_id": "1", "cluster_id": "1"}, order("O-2", "ola@example.org-shop")])

    assert read_customer_context(settings, "Kari@Example.org") == ["Order O-1 is paid."]
    assert read_customer_context(settings, " kari@example.org") == ["Order O-1 is paid."]
    assert read_customer_context(settings, "ola@example.org") is None
    (kept,) = [row for row in artifacts.read_table(made).to_pylist() if row["order_id"] == "O-1"]
    found = find_customer(settings, "kari@example.org")
    assert found is not None
    # One name everywhere: what is to be erased is found by it in the artifact, in the log and online.
    assert found.customer_id == kept["subject_id"] == redacted["subject_id"]
    assert found.customer_id in {row["customer_id"] for row in read_log(settings)}
    files = [path for path in Path(settings.lake, "feature_store").rglob("*") if path.is_file()]
    assert not any(b"kari" in path.read_bytes().lower() for path in files)


def test_without_the_key_or_with_another_such_a_customer_is_unknown(settings: Settings, tmp_path: Path) -> None:
    key = settings.pseudonym_key.read_text()
    redacted = redact_row(order("O-1", "kari@example.org"), RedactConfig(), lambda: bytes.fromhex(key))
    materialize(settings, [redacted, order("O-2", "C-2")])
    other = tmp_path / "other.key"
    other.write_text(bytes(range(32)).hex())

    for path in (other, tmp_path / "none.key"):
        elsewhere = settings.model_copy(update={"pseudonym_key": path})
        assert read_customer_context(elsewhere, "kari@example.org") is None
        assert read_customer_context(elsewhere, "C-2") == ["Order O-2 is paid."]
    other.write_text("damaged")
    online._pseudonym_key.cache_clear()
    with pytest.raises(ConfigurationError, match="restore it"):
        read_customer_context(settings.model_copy(update={"pseudonym_key": other}), "C-2")


def test_a_day_without_orders_is_committed_empty(settings: Settings) -> None:
    made = materialize(settings, [order("O-1", "C-1", source="reviews")])

    assert (made.counts["kept"], made.counts["set_aside"], made.counts["written_online"]) == (0, 0, 0)


def test_what_cannot_be_done_is_refused_with_the_remedy(settings: Settings) -> None:
    rows = [order("O-1", "C-1")]
    with pytest.raises(Refused, match=r"name some as `sources` in \[materialize_customers\]"):
        materialize(settings, rows, config=MaterializeCustomersConfig())
    with pytest.raises(Refused, match="learns without contexts"):
        materialize(settings, rows, annotation=AnnotateConfig(context_characters=0))
    clean, examples = commit_day(settings.lake, rows)
    with pytest.raises(ConfigurationError, match="ends in ds=YYYY-MM-DD"):
        materialize_customers(clean.uri, examples.uri, f"{settings.lake}/customers", config=CONFIG, settings=settings)
    commit_day(settings.lake, [order("O-2", "C-1")])
    _, of_other_rows = commit_day(f"{settings.lake}/other", rows)
    target = f"{settings.lake}/customers/ds={DAY}"
    with pytest.raises(CorruptArtifactError, match=r"not made of .* run `llmops annotate` again"):
        materialize_customers(clean.uri, of_other_rows.uri, target, config=CONFIG, settings=settings)
    with pytest.raises(MissingArtifactError, match=r"check the id, or run `llmops materialize-customers`"):
        show_customer("C-1", settings=settings)
    assert artifacts.find(target) is None


def test_without_the_view_the_remedy_is_named(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, lake=str(tmp_path / "lake"), feature_repo=REPO)

    with pytest.raises(ConfigurationError, match=r"no feature store yet; run `LLMOPS_LAKE=.* apply --skip-source"):
        materialize(settings, [order("O-1", "C-1")])
    with pytest.raises(ConfigurationError, match="no feature store yet"):
        read_customer_context(settings, "C-1")
