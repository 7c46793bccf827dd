"""What readers say about answers: tied to answer and reader, kept apart, and without text where none is wanted."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from llmops.governance.access.roles import Role
from llmops.monitoring.interactions.records import TEXT_FIELDS
from llmops.settings import Settings
from tests.serving.conftest import ServeLake, figure, make_key, poll

_QUESTION = "Where is parcel 4711? Write to kari@example.com or call +49 451 123456."


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "interactions"


@pytest.fixture
def client(published: Settings, spool: Path, serve_lake: ServeLake) -> httpx.Client:
    return serve_lake(published, interactions=spool)


def ask(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    response = client.post("/generate", json={"prompt": _QUESTION, **changes})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def say(client: httpx.Client, **said: Any) -> int:
    return client.post("/v1/feedback", json={"rating": "good", "consent": True, **said}).status_code


def records(client: httpx.Client, spool: Path, number: int) -> list[dict[str, Any]]:
    """The lines of the spool, once there are so many."""
    poll(lambda: figure(client, "llmops_interactions_total", fate="written") == number)
    lines = [json.loads(line) for path in spool.glob("ds=*/*.jsonl") for line in path.read_text().splitlines()]
    return [line["record"] for line in lines]


def test_consented_exchange_and_feedback_are_kept_without_personal_data(client: httpx.Client, spool: Path) -> None:
    answer = ask(client, consent=True)

    assert say(client, id=answer["id"], corrected_answer="Ask lars@example.com.") == 202

    exchange, feedback = records(client, spool, 2)
    assert exchange["answer_id"] == feedback["answer_id"] == answer["id"]
    assert exchange["subject"] == feedback["subject"]
    assert exchange["question"].startswith("Where is parcel 4711?")
    assert exchange["model"] == answer["model"]
    assert feedback["rating"] == "good"
    kept = "".join(path.read_text() for path in spool.rglob("*.jsonl"))
    assert not any(secret in kept for secret in ("kari@", "lars@", "123456"))


def test_without_consent_no_text_is_kept(client: httpx.Client, spool: Path) -> None:
    answer = ask(client)

    assert say(client, id=answer["id"], consent=False, corrected_answer="Tomorrow.") == 202

    exchange, feedback = records(client, spool, 2)
    assert [record.get(name) for record in (exchange, feedback) for name in TEXT_FIELDS] == [None] * 2 * len(
        TEXT_FIELDS
    )
    assert feedback["rating"] == "good"
    kept = "".join(path.read_text() for path in spool.rglob("*.jsonl"))
    assert not any(text in kept for text in ("parcel", "Tomorrow", answer["answer"]))


def test_streamed_answers_are_kept_too(client: httpx.Client, spool: Path) -> None:
    text = client.post("/generate", json={"prompt": _QUESTION, "consent": True, "stream": True}).text
    done = json.loads(text.split("event: done\ndata: ")[1])

    assert say(client, id=done["id"]) == 202
    exchange, _ = records(client, spool, 2)
    assert exchange["answer"] == done["answer"]


def test_only_the_reader_of_an_answer_can_rate_it(client: httpx.Client, published: Settings) -> None:
    own = ask(client)["id"]
    customers = ask(client, user="anna")["id"]
    stranger = {"Authorization": f"Bearer {make_key(published, Role.USER)}"}
    body = {"rating": "bad", "consent": True}

    assert say(client, id=own) == 202
    assert say(client, id=customers, user="anna") == 202
    assert say(client, id=customers) == 404
    assert say(client, id=own, user="anna") == 404
    assert say(client, id="0" * 64) == 404
    assert client.post("/v1/feedback", json={**body, "id": own}, headers=stranger).status_code == 404


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rating": None}, "give a `rating`"),
        ({"rating": "great"}, "rating"),
        ({"id": "x"}, "id"),
        ({"corrected_answer": "x" * 20_001}, "corrected_answer"),
        ({"consent": None}, "consent"),
        ({"ratng": "good"}, "did you mean `rating`"),
    ],
)
def test_feedback_that_says_nothing_or_wrong_is_422(client: httpx.Client, changes: dict[str, Any], told: str) -> None:
    response = client.post("/v1/feedback", json={"id": "0" * 64, "rating": "good", "consent": True, **changes})

    assert response.status_code == 422
    assert told in response.json()["error"]["message"]
