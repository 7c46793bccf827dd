"""Requests that cannot be answered: each gets a status, one shape, and a message without the caller's text."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from llmops.governance.access.roles import Role
from llmops.settings import Settings
from serving.app import create_app
from serving.settings import ServingSettings
from tests.serving.conftest import Serve, make_key

_USER, _ASSISTANT = {"role": "user", "content": "secretword"}, {"role": "assistant", "content": "secretword"}


def _problem(response: httpx.Response) -> dict[str, str]:
    """The error, once its shape is checked."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"type", "message", "request_id"}
    assert body["error"]["request_id"] == response.headers["X-Request-Id"]
    assert "secretword" not in body["error"]["message"]
    problem: dict[str, str] = body["error"]
    return problem


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "give either `prompt` or `messages`"),
        ({"prompt": "secretword", "messages": [_USER]}, "give either `prompt` or `messages`"),
        ({"promt": "secretword"}, "promt: unknown field; did you mean `prompt`?"),
        ({"prompt": "secretword", "zzz": 1}, "zzz: unknown field; known fields: prompt, messages"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n"}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": None}, "give either"),
        ({"prompt": ["secretword"]}, "prompt"),
        ({"prompt": "secretword", "context": 1}, "context"),
        ({"prompt": "secretword", "max_new_tokens": 0}, "max_new_tokens"),
        ({"prompt": "secretword", "max_new_tokens": 513}, "max_new_tokens: at most 512"),
        ({"prompt": "secretword", "max_new_tokens": "5"}, "max_new_tokens"),
        ({"prompt": "secretword", "max_new_tokens": 1.5}, "max_new_tokens"),
        ({"prompt": "secretword", "max_new_tokens": True}, "max_new_tokens"),
        ({"prompt": "secretword", "temperature": -0.1}, "temperature"),
        ({"prompt": "secretword", "temperature": 2.1}, "temperature"),
        ({"prompt": "secretword", "temperature": float("nan")}, "temperature"),
        ({"prompt": "secretword", "temperature": float("inf")}, "temperature"),
        ({"prompt": "secretword", "seed": -1}, "seed"),
        ({"prompt": "secretword", "seed": 2**32}, "seed"),
        ({"prompt": "secretword", "model": ""}, "model"),
        ({"prompt": "secretword", "model": "a b"}, "model"),
        ({"prompt": "secretword", "top_p": 0}, "top_p"),
        ({"prompt": "secretword", "top_p": 1.1}, "top_p"),
        ({"prompt": "secretword", "stop": "secretword"}, "stop"),
        ({"prompt": "secretword", "stop": [""]}, "stop.0"),
        ({"prompt": "secretword", "stop": ["."] * 5}, "stop"),
        ({"prompt": "secretword", "stream": "yes"}, "stream"),
        ({"prompt": "secretword", "user": "x" * 201}, "user"),
        ({"messages": []}, "messages"),
        ({"messages": [_USER] * 101}, "messages"),
        ({"messages": [_ASSISTANT]}, "alternate"),
        ({"messages": [_USER, _ASSISTANT]}, "end with user"),
        ({"messages": [_USER, _USER]}, "alternate"),
        ({"messages": [{"role": "system", "content": "secretword"}]}, "alternate"),
        ({"messages": [_USER, {"role": "system", "content": "secretword"}, _USER]}, "alternate"),
        ({"messages": [{"role": "tool", "content": "secretword"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{**_USER, "name": "secretword"}]}, "messages.0.name: unknown field"),
        ([], ""),
        ("secretword", ""),
        (None, ""),
    ],
)
def test_a_body_that_breaks_the_schema_is_422(client: httpx.Client, body: Any, told: str) -> None:
    response = client.post("/generate", content=json.dumps(body), headers={"Content-Type": "application/json"})

    problem = _problem(response)
    assert response.status_code == 422
    assert problem["type"] == "invalid_request"
    assert told in problem["message"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"prompt": "\\ud800"}', b"prompt=secretword"])
def test_what_is_no_json_is_422(client: httpx.Client, content: bytes) -> None:
    response = client.post("/generate", content=content, headers={"Content-Type": "application/json"})

    assert response.status_code == 422
    assert _problem(response)["type"] == "invalid_request"


def test_a_query_string_is_no_prompt(client: httpx.Client) -> None:
    response = client.post("/generate?prompt=secretword")

    assert response.status_code == 422
    _problem(response)


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "x" * 8_001},
        {"prompt": "x" * 8_000, "context": "y"},
        {"messages": [{"role": "user", "content": "x" * 8_001}]},
        {"prompt": "x" * 2_000_000},
    ],
)
def test_too_many_characters_are_413(client: httpx.Client, body: dict[str, Any]) -> None:
    response = client.post("/generate", json=body)

    problem = _problem(response)
    assert response.status_code == 413
    assert problem["type"] == "prompt_too_long"
    assert "shorten" in problem["message"]


def test_a_stream_without_a_declared_length_is_cut_off(client: httpx.Client) -> None:
    response = client.post("/generate", content=(b"x" * 65_536 for _ in range(1_000)))

    assert response.status_code == 413
    _problem(response)


def test_characters_are_counted_not_bytes(client: httpx.Client) -> None:
    escaped = json.dumps({"prompt": "😀" * 1_000, "max_new_tokens": 1})  # twelve bytes each

    response = client.post("/generate", content=escaped, headers={"Content-Type": "application/json"})

    assert response.status_code == 422  # 4,000 tokens of a byte-level tokenizer, but only 1,000 characters
    assert "tokens" in _problem(response)["message"]


def test_too_many_tokens_are_422(client: httpx.Client) -> None:
    response = client.post("/generate", json={"prompt": "x y " * 1_000})

    problem = _problem(response)
    assert response.status_code == 422
    assert problem["type"] == "prompt_too_long"
    assert "tokens" in problem["message"]


def test_prompt_and_answer_together_fit_the_model(serve: Serve) -> None:
    client = serve(max_prompt_tokens=10_000, max_new_tokens_limit=10_000)

    most = client.post("/generate", json={"prompt": "Hi", "max_new_tokens": 1_025})
    some = client.post("/generate", json={"prompt": "Hi", "max_new_tokens": 1_000})

    assert (most.status_code, _problem(most)["type"]) == (422, "prompt_too_long")  # the tiny model has 1,024 positions
    assert (some.status_code, _problem(some)["type"]) == (422, "prompt_too_long")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/secretword", 404), ("GET", "/generate", 405), ("DELETE", "/healthz", 405)]
)
def test_other_addresses_are_refused_in_the_same_shape(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)

    assert response.status_code == status
    _problem(response)


def _call(app: FastAPI, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
    """Call the app without a server, and so without its lifespan."""
    platform = app.state.service.settings.platform
    headers = {"Authorization": f"Bearer {make_key(platform, Role.USER)}"}

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
            return await (client.get(path) if body is None else client.post(path, json=body))

    return asyncio.run(call())


def test_until_the_model_is_loaded_only_the_process_answers(published: Settings) -> None:
    app = create_app(ServingSettings(platform=published))  # its lifespan is not started

    ready, answer = _call(app, "/readyz"), _call(app, "/generate", {"prompt": "Hi"})

    for response in (ready, answer):
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert _problem(response)["type"] == "not_ready"
    assert _call(app, "/healthz").status_code == 200


def test_a_service_that_cannot_load_says_so(tmp_path: Path) -> None:
    nothing = Settings(home=tmp_path, lake=str(tmp_path), trusted_key=tmp_path / "trusted.pem")
    failed = threading.Event()
    app = create_app(ServingSettings(platform=nothing), on_failure=failed.set)

    async def start_and_wait() -> None:
        async with app.router.lifespan_context(app):
            assert await asyncio.to_thread(failed.wait, 30)

    asyncio.run(start_and_wait())

    response = _call(app, "/readyz")
    assert response.status_code == 503
    assert "has failed" in _problem(response)["message"]


def test_a_fault_inside_is_500_and_leaks_nothing(published: Settings) -> None:
    app = create_app(ServingSettings(platform=published, engine="transformers"))

    async def lose_the_worker() -> None:
        await app.state.service.models.follow()
        await app.state.service.models.close()  # which no route expects

    asyncio.run(lose_the_worker())
    response = _call(app, "/generate", {"prompt": "secretword"})

    problem = _problem(response)
    assert response.status_code == 500
    assert problem == {
        "type": "internal_error",
        "message": "the service failed; tell its operator the request_id",
        "request_id": response.headers["X-Request-Id"],
    }


def test_every_answer_says_which_version_is_ready(client: httpx.Client) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json()["status"] == "ready"
    assert response.json()["model"].startswith("shop-assistant-2026-03-07-")
