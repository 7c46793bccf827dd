"""Streamed answers: the same text as whole ones, in pieces, and nothing kept when somebody leaves."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.serving.conftest import Serve, figure, poll

_QUESTION = "Where is my parcel?"
_LONG = {"prompt": _QUESTION, "model": "base", "max_new_tokens": 980}  # seconds: the untuned tiny model never ends


def _events(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    """The events of a stream, read by the rules of the WHATWG HTML standard, 9.2.6."""
    name, data = "", ""
    for line in response.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data += value
        elif line == "":
            yield name, json.loads(data)
            name, data = "", ""


def _stream(client: httpx.Client, **body: Any) -> list[tuple[str, Any]]:
    with client.stream("POST", "/generate", json={"prompt": _QUESTION, "stream": True, **body}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(_events(response))


@pytest.mark.parametrize(
    "changes",
    [{}, {"model": "base", "max_new_tokens": 40, "temperature": 1.0, "seed": 4}, {"temperature": 1.0, "seed": 3}],
)
def test_pieces_add_up_to_the_whole_answer(client: httpx.Client, changes: dict[str, Any]) -> None:
    whole = client.post("/generate", json={"prompt": _QUESTION, **changes}).json()

    (first, start), *texts, (last, done) = _stream(client, **changes)

    assert first == "start"
    assert start == {"id": done["id"], "model": whole["model"]}
    assert {name for name, _ in texts} == {"text"}
    assert len(texts) > 3
    assert last == "done"
    assert {**done, "id": ""} == {**whole, "id": ""}
    assert "".join(event["text"] for _, event in texts) == whole["answer"]


def test_stop_text_ends_the_answer_before_it(client: httpx.Client) -> None:
    body = {"model": "base", "max_new_tokens": 40, "temperature": 1.0, "seed": 4}
    whole = client.post("/generate", json={"prompt": _QUESTION, **body}).json()
    stop = whole["answer"][10:14]
    expected = whole["answer"][: whole["answer"].index(stop)].rstrip()

    cut = client.post("/generate", json={"prompt": _QUESTION, **body, "stop": [stop]}).json()
    _, *texts, (_, done) = _stream(client, **body, stop=[stop])

    assert len(whole["answer"]) > 14
    assert cut["answer"] == done["answer"] == "".join(event["text"] for _, event in texts) == expected
    assert cut["finish_reason"] == done["finish_reason"] == "stop"
    assert cut["usage"]["completion_tokens"] < 40


def test_what_fails_before_the_first_piece_has_a_status(client: httpx.Client) -> None:
    response = client.post("/generate", json={"prompt": "x" * 9_000, "stream": True})

    assert response.status_code == 413
    assert response.json()["error"]["type"] == "prompt_too_long"


def test_late_stream_ends_with_an_error(serve: Serve) -> None:
    client = serve(max_new_tokens_limit=980, request_timeout_seconds=0.5)

    *_, (last, event) = _stream(client, **_LONG)

    assert last == "error"
    assert event["error"]["type"] == "timeout"


def test_reader_that_leaves_frees_the_place(serve: Serve) -> None:
    client = serve(max_new_tokens_limit=980, queue_size=1)

    for _ in range(3):
        with client.stream("POST", "/generate", json={**_LONG, "stream": True, "temperature": 1}) as response:
            events = _events(response)  # closed with its last reference, and the connection with it
            next(events)
            assert figure(client, "llmops_queue_requests") == 1
        poll(lambda: figure(client, "llmops_queue_requests") == 0)
    assert client.post("/generate", json={"prompt": _QUESTION}).status_code == 200


def test_metrics_count_what_was_answered(serve: Serve) -> None:
    client = serve()
    answers = [client.post("/generate", json={"prompt": _QUESTION}).json() for _ in range(3)]
    _stream(client)
    client.post("/generate", json={"promt": "typo"})
    version = answers[0]["model"]

    assert figure(client, "llmops_time_to_first_token_seconds_count", model=version) == 4
    assert figure(client, "llmops_inter_token_seconds_count", model=version) == 4
    completion = 4 * answers[0]["usage"]["completion_tokens"]
    assert figure(client, "llmops_tokens_total", model=version, kind="completion") == completion
    assert figure(client, "llmops_requests_total", route="/generate", status="200", error="") == 4
    assert figure(client, "llmops_requests_total", status="422", error="invalid_request") == 1
    assert figure(client, "llmops_queue_requests") == 0
    first = figure(client, "llmops_time_to_first_token_seconds_sum", model=version)
    assert 0 < first < figure(client, "llmops_answer_seconds_sum", model=version)
