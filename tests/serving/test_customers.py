"""Questions of known customers: their orders, as the pipeline brought them into Feast, stand in the prompt."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from llmops.features import online
from llmops.governance.access.roles import Role
from llmops.settings import Settings
from tests.features import conftest as features
from tests.features.conftest import ApplyFeatures
from tests.features.customer_days import materialize, order
from tests.serving.conftest import ServeLake

apply_features = features.apply_features
_QUESTION = "Where is my parcel?"


@pytest.fixture
def with_orders(settings: Settings, apply_features: ApplyFeatures) -> Settings:
    """The same with the orders of two customers in its store."""
    online._open.cache_clear()
    applied = apply_features(Path(settings.lake))
    settings = settings.model_copy(update={"feature_repo": applied.feature_repo})
    rows = [
        order("O-1", "C-1", text="Order O-1 of 2 tents is shipped."),
        order("O-2", "C-1", text="Order O-2 of 1 lamp is paid."),
        order("O-3", "C-2", text="Order O-3 of 9 pans is delivered."),
    ]
    materialize(settings, rows)
    return settings


def _ask(client: httpx.Client, **body: Any) -> dict[str, Any]:
    response = client.post("/generate", json={"prompt": _QUESTION, **body})
    assert response.status_code == 200, response.text
    found = response.json()
    return {"answer": found["answer"], "usage": found["usage"]}


def test_orders_stand_in_the_prompt_as_context_does(with_orders: Settings, serve_lake: ServeLake) -> None:
    client = serve_lake(with_orders, role=Role.USER, customer_context=True)
    first, second, third = (
        "Order O-1 of 2 tents is shipped.",
        "Order O-2 of 1 lamp is paid.",
        "Order O-3 of 9 pans is delivered.",
    )

    found = _ask(client, customer_id="C-1")
    both = [_ask(client, context=f"{one}\n{other}") for one, other in ((first, second), (second, first))]

    assert found in both  # of the same minute: either may come first
    assert _ask(client, customer_id="C-2", context="Pans ship on Mondays.") == _ask(
        client, context=f"{third}\nPans ship on Mondays."
    )
    assert _ask(client, customer_id="C-2")["usage"] != _ask(client)["usage"]
    assert _ask(client, customer_id="C-9") == _ask(client)


def test_orders_that_do_not_fit_are_left_out_whole(with_orders: Settings, serve_lake: ServeLake) -> None:
    client = serve_lake(with_orders, customer_context=True, customer_context_characters=40)

    found = _ask(client, customer_id="C-1")

    alone = [
        _ask(client, context=text) for text in ("Order O-1 of 2 tents is shipped.", "Order O-2 of 1 lamp is paid.")
    ]
    assert found in alone


def test_newer_orders_are_read_without_a_restart(with_orders: Settings, serve_lake: ServeLake) -> None:
    client = serve_lake(with_orders, customer_context=True)
    before = _ask(client, customer_id="C-3")

    materialize(with_orders, [order("O-4", "C-3", text="Order O-4 of 1 stove is paid.")])

    assert before == _ask(client)
    assert _ask(client, customer_id="C-3") == _ask(client, context="Order O-4 of 1 stove is paid.")


def test_without_a_store_a_customers_question_is_refused(settings: Settings, serve_lake: ServeLake) -> None:
    online._open.cache_clear()
    client = serve_lake(settings, customer_context=True)

    refused = client.post("/generate", json={"prompt": _QUESTION, "customer_id": "C-1"})

    assert refused.status_code == 503
    assert refused.json()["error"]["type"] == "no_customer_data"
    assert client.post("/generate", json={"prompt": _QUESTION}).status_code == 200
