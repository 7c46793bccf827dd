"""Features by key, as the service reads them: a customer's recent orders, and the token ids of one example."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any

import structlog
from cyclopts import Parameter

from llmops.errors import MissingArtifactError
from llmops.features.log import read_log
from llmops.features.views import CUSTOMERS, TRAINING, View
from llmops.guards import personal_data, pseudonyms
from llmops.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore

log = structlog.get_logger()
_one_at_a_time = Lock()
"""Feast's store and its SQLite connection are shared by all threads; a read holds them for less than a millisecond."""


@dataclass(frozen=True, slots=True)
class CustomerContext:
    """What the online store holds of a customer."""

    customer_id: str
    """As the store names the customer: the id that was asked for, or its pseudonym."""
    order_ids: tuple[str, ...]
    """Newest first."""
    orders: tuple[str, ...]
    """The orders as they would stand in a training context, at most 400 characters each with the default recipe."""
    event_time: datetime
    """When the newest of it became true (UTC, whole seconds): now less this is the age of the data."""


def read_customer_context(settings: Settings, customer_id: str) -> list[str] | None:
    """The recent orders of a customer as lines for the prompt's context, newest first; None for an unknown customer.

    As many as `[materialize_customers]` keeps. Whoever calls decides whether the asker *is* this customer. The first
    call takes seconds (Feast), later ones about 1 ms; any thread may call. Raises ConfigurationError when the view is
    not applied or the pseudonym key is damaged.
    """
    found = find_customer(settings, customer_id)
    return None if found is None else list(found.orders)


def find_customer(settings: Settings, customer_id: str) -> CustomerContext | None:
    """What the online store holds of a customer, with its time; None for an unknown one or one without orders.

    `customer_id` is the id as the sources give it. Where that is personal data, the store knows a pseudonym in its
    place, which is made here with the same key; without the key file such customers are unknown.
    """
    if not _is_utf8(customer_id):  # JSON can carry lone surrogates, the store cannot
        return None
    names: list[tuple[str, ...]] = [(name,) for name in _stored_names(settings, customer_id)]
    for found in _read(settings, CUSTOMERS, names):
        if found["orders"]:
            return CustomerContext(
                customer_id=found["customer_id"],
                order_ids=tuple(found["order_ids"]),
                orders=tuple(found["orders"]),
                event_time=found["event_time"],
            )
    return None


def show_customer(customer_id: str, *, settings: Annotated[Settings, Parameter(parse=False)]) -> str:
    """Print what the service would tell the model about a customer, and how old it is.

    Parameters
    ----------
    customer_id
        Id as the shop's data gives it, or the pseudonym that stands for it.
    """
    found = find_customer(settings, customer_id)
    if found is None:
        raise MissingArtifactError(
            f"{customer_id}: no orders of this customer are online; check the id, or run "
            "`llmops materialize-customers` for the day that has them"
        )
    heading = {
        "customer": found.customer_id,
        "event_time": found.event_time.isoformat(),
        "age": f"{(datetime.now(UTC) - found.event_time).total_seconds() / 3600:,.1f} hours",
        "orders": " ".join(found.order_ids),
    }
    return "\n".join([*(f"{name:<12}{value}" for name, value in heading.items()), *found.orders])


def read_online(settings: Settings, example_id: str, tokenizer: str) -> dict[str, Any] | None:
    """The online features of one example: keys, features and `event_time`; None when the store has none.

    `tokenizer` is a tokenizer's fingerprint. The first call imports Feast (10 CPU seconds), later ones take 1 ms.
    """
    (found,) = _read(settings, TRAINING, [(example_id, tokenizer)])
    return found if found["event_time"] is not None else None


def show_features(
    example_id: str,
    *,
    tokenizer: str = "",
    settings: Annotated[Settings, Parameter(parse=False)],
) -> str:
    """Print what the online store holds of one example: ids and counts, no text.

    Parameters
    ----------
    example_id
        row_id of the example.
    tokenizer
        Fingerprint of the tokenizer; the one last used on this example if left out.
    """
    found = read_online(settings, example_id, tokenizer or _last_tokenizer(settings, example_id))
    if found is None:
        raise MissingArtifactError(
            f"{example_id}: no online features with tokenizer {tokenizer}; leave --tokenizer out, or run "
            "`llmops materialize` first"
        )
    lines = {
        **{name: found[name] for name in ("example_id", "tokenizer", "part", "source", "template")},
        "event_time": found["event_time"].isoformat(),
        "tokens": f"{len(found['token_ids'])}, of which {found['prompt_tokens']} prompt",
        "token_ids": " ".join(str(token) for token in found["token_ids"]),
    }
    return "\n".join(f"{name:<12}{value}" for name, value in lines.items())


def _last_tokenizer(settings: Settings, example_id: str) -> str:
    logged = read_log(settings.lake, TRAINING, ["tokenizer", "created"], example_id=example_id)
    if logged.num_rows == 0:
        raise MissingArtifactError(
            f"{example_id}: no such example in the feature store; run `llmops materialize` first"
        )
    last: str = logged.sort_by("created")["tokenizer"][-1].as_py()
    return last


def _read(settings: Settings, view: View, keys: list[tuple[str, ...]]) -> list[dict[str, Any]]:
    with _one_at_a_time:  # around the import too, which two threads would otherwise start
        from llmops.features.store import read_online as read  # noqa: PLC0415 - Feast takes seconds to import

        return list(read(_open(settings, view), view, keys))


@lru_cache(maxsize=4)
def _open(settings: Settings, view: View) -> "FeatureStore":
    from llmops.features.store import open_store  # noqa: PLC0415 - Feast, as above

    return open_store(settings, view)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _stored_names(settings: Settings, customer_id: str) -> list[str]:
    """The names under which the store may hold a customer: the id itself, or its pseudonym of one kind or another.

    Which of them it is depends on what redaction looked for that day; asking for all costs one and the same read.
    """
    key = _pseudonym_key(settings.pseudonym_key)
    kinds = personal_data.TYPES if key else ()
    return [customer_id, *(pseudonyms.pseudonym(customer_id, kind, key) for kind in kinds if key)]


@lru_cache(maxsize=4)
def _pseudonym_key(path: Path) -> bytes | None:
    """The key, or None where there is none: a shop whose customers have numbers needs none on its service."""
    if path.exists():
        return pseudonyms.read_key(path)
    log.warning("pseudonym_key.missed", path=str(path), consequence="customers named by personal data are unknown")
    return None
