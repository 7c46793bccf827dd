"""`llmops materialize-customers`: a day's orders into the feature store, beside those of all other days."""

from datetime import UTC, datetime
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from cyclopts import Parameter

from llmops import artifacts, schemas
from llmops.days import day_uris, is_day
from llmops.errors import ConfigurationError, CorruptArtifactError, Refused
from llmops.features.config import MaterializeCustomersConfig
from llmops.features.customers import orders_of, place_in_log, recent_orders
from llmops.features.log import append_to_log, read_log
from llmops.features.views import CUSTOMERS
from llmops.manifest import Manifest
from llmops.settings import Settings

STAGE, VERSION = "materialize-customers", 1
log = structlog.get_logger()


def materialize_customers(
    clean: str,
    examples: str,
    target: str,
    *,
    config: MaterializeCustomersConfig,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Write the orders of `clean` (`schemas.ORDER`) to `target`, and each customer's last ones of all days online.

    `examples` are those made of `clean`: an order is rendered with their configuration, as in a training context. The
    artifact depends on its day alone; the online store on the days committed beside `target` and on this one.

    Raises ConfigurationError for a target that is no day's partition or a view that is not applied,
    CorruptArtifactError when `examples` were made of other rows or the store gives back other values than were put in,
    Refused when no source is named or the examples have no contexts.
    """
    folder, _, name = target.rstrip("/").rpartition("/")
    if not is_day(name):
        raise ConfigurationError(f"{target}: not a day's partition; pass a target that ends in ds=YYYY-MM-DD")
    if not config.sources:
        raise Refused("no source of orders is named; name some as `sources` in [materialize_customers]")
    source, rendered = artifacts.read(clean, "clean"), artifacts.read(examples, "annotate")
    if source.digest not in {item.digest for item in rendered.inputs}:
        raise CorruptArtifactError(f"{examples}: not made of {clean} as it is now; run `llmops annotate` again")
    characters = int(rendered.config["context_characters"])
    if characters == 0:
        raise Refused(f"{examples}: the model learns without contexts (context_characters is 0), so it gets none")
    attempt = artifacts.begin(target, stage=STAGE, version=VERSION, config=config, inputs=[source, rendered])
    if attempt.committed:
        return attempt.committed

    rows = [row for row in artifacts.read_table(source).to_pylist() if row["source"] in config.sources]
    made, aside = orders_of(rows, config.sources, characters)
    table = pa.Table.from_pylist(made, schema=schemas.ORDER)
    orders = table.to_pylist()  # times as other days' are read: Spark's Parquet has them without a zone
    days = {uri: _read_orders(uri) for uri in day_uris(folder) if uri != artifacts.join(folder, name)}
    days[artifacts.join(folder, name)] = orders
    recent = recent_orders((days[uri] for uri in sorted(days)), config.orders)
    written = _write(settings, recent, {order["subject_id"] for order in orders})

    attempt.write_table(table, schemas.ORDER)
    counts = {"customers": len({order["subject_id"] for order in orders}), "written_online": written}
    return attempt.set_aside(aside).commit(input_ids=[row["row_id"] for row in rows], counts=counts)


def _read_orders(uri: str) -> list[dict[str, Any]]:
    """The orders of another day; none where nothing is committed."""
    return [] if artifacts.find(uri) is None else artifacts.read_table(artifacts.read(uri, STAGE)).to_pylist()


def _write(settings: Settings, recent: dict[str, list[dict[str, Any]]], of_the_day: set[str]) -> int:
    """Bring the online store and then the log up to date; how many customers were written online.

    The log comes last: what it holds has been written online, also when a run is killed in between. The customers of
    the day are written in any case.
    """
    # Feast takes 10 CPU seconds to import: a run that finds its work done does not pay them.
    from llmops.features import store as feast  # noqa: PLC0415 - see above

    store = feast.open_store(settings, CUSTOMERS)
    logged = read_log(settings.lake, CUSTOMERS, [*CUSTOMERS.keys, "event_timestamp", "created", "content"])
    placed, changed = place_in_log(recent, logged, datetime.now(UTC))
    wanted = of_the_day | set(changed["customer_id"].to_pylist())
    rows = placed.filter(pc.is_in(placed["customer_id"], pa.array(sorted(wanted), pa.string())))
    written = feast.write_online(store, CUSTOMERS, rows)
    expected = written.select([*CUSTOMERS.keys, *CUSTOMERS.features]).to_pylist()
    found = feast.read_online(store, CUSTOMERS, [(row["customer_id"],) for row in expected])
    differing = sum(
        any(row[name] != online[name] for name in CUSTOMERS.features)
        for row, online in zip(expected, found, strict=True)
    )
    if differing:
        raise CorruptArtifactError(
            f"{settings.lake}/feature_store: the orders of {differing} customers come back online otherwise than they "
            "were put in; see whether something else writes there, then run this day again"
        )
    append_to_log(settings.lake, CUSTOMERS, changed)
    log.info("customers.written", written=written.num_rows, appended=changed.num_rows, customers=placed.num_rows)
    return int(written.num_rows)
