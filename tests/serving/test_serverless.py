"""The service as a function of AWS Lambda: AWS's documented events, its runtime client, against a server over HTTP.

`lambda_events/http_api.json` is the example of
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html, and
`function_url.json` that of https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from llmops.errors import SignatureError
from llmops.governance.access.roles import Role
from llmops.settings import Settings
from serving.serverless.function import Function
from serving.settings import ServingSettings
from tests.serving.conftest import make_key, poll
from tests.serving.lambda_runtime import RuntimeApi

_EVENTS = Path(__file__).parent / "lambda_events"
_QUESTION = {"prompt": "Where is my parcel?", "max_new_tokens": 20, "temperature": 0}
_LONG = {"prompt": "Where is my parcel?", "model": "base", "max_new_tokens": 980}  # seconds


_KEY: dict[str, str] = {}
"""The header that every event carries."""


@pytest.fixture(scope="module", autouse=True)
def _key(published: Settings) -> None:
    _KEY["authorization"] = f"Bearer {make_key(published, Role.DEVELOPER)}"


@dataclass
class _Context:
    seconds: float = 60

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


def _event(
    path: str, body: Any = None, *, source: str = "http_api", method: str = "POST", encoded: bool = False
) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((_EVENTS / f"{source}.json").read_text())
    text = body if isinstance(body, str) else json.dumps(body)
    event.update(rawPath=path, rawQueryString="", queryStringParameters={}, isBase64Encoded=encoded)
    event["body"] = base64.b64encode(text.encode()).decode() if encoded else text
    event["headers"] |= {"content-type": "application/json", **_KEY}
    event["requestContext"]["http"].update(method=method, path=path)
    return event


def _settings(published: Settings, **limits: Any) -> ServingSettings:
    given = {"engine": "transformers", "threads": 1, "customer_context": False, "max_new_tokens_limit": 980, **limits}
    return ServingSettings(platform=published, **given)


@pytest.fixture(scope="module")
def function(published: Settings) -> Iterator[Function]:
    loaded = Function(_settings(published))
    yield loaded
    loaded.close()


@pytest.mark.parametrize("source", ["http_api", "function_url"])
@pytest.mark.parametrize("encoded", [False, True])
def test_an_event_is_answered_as_the_server_answers_the_request(
    function: Function, client: httpx.Client, source: str, encoded: bool
) -> None:
    expected = client.post("/generate", json=_QUESTION)

    result = function(_event("/generate", _QUESTION, source=source, encoded=encoded), _Context())

    assert result["statusCode"] == 200
    assert result["isBase64Encoded"] is False
    assert result["headers"]["content-type"] == "application/json"
    found = json.loads(result["body"])
    assert {**found, "id": ""} == {**expected.json(), "id": ""}


def test_a_stream_comes_whole(function: Function, client: httpx.Client) -> None:
    expected = client.post("/generate", json=_QUESTION).json()["answer"]

    result = function(_event("/generate", {**_QUESTION, "stream": True}), _Context())

    assert result["headers"]["content-type"].startswith("text/event-stream")
    events = [part.split("\ndata: ") for part in result["body"].split("\n\n") if part]
    assert "".join(json.loads(data)["text"] for name, data in events if name == "event: text") == expected
    assert json.loads(events[-1][1])["answer"] == expected


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ("{not json", 422, "invalid_request"),
        ({"promt": "x"}, 422, "invalid_request"),
        ({"prompt": "x" * 9000}, 413, "prompt_too_long"),
        ({"prompt": "x", "model": "none"}, 404, "unknown_model"),
    ],
)
def test_an_error_keeps_its_status_and_shape(function: Function, body: Any, status: int, kind: str) -> None:
    result = function(_event("/generate", body), _Context())

    assert result["statusCode"] == status
    assert json.loads(result["body"])["error"]["type"] == kind


def test_a_route_that_is_not_there_is_404(function: Function) -> None:
    assert function(_event("/my/path", ""), _Context())["statusCode"] == 404


def test_an_answer_ends_before_lambda_would_end_the_function(function: Function) -> None:
    function(_event("/generate", {**_QUESTION, "model": "base"}), _Context())
    started = time.monotonic()

    late = function(_event("/generate", _LONG), _Context(seconds=1.3))
    took = time.monotonic() - started

    assert late["statusCode"] == 503
    assert json.loads(late["body"])["error"]["type"] == "timeout"
    assert late["headers"]["retry-after"] == "2"
    assert took < 1.3
    assert function(_event("/generate", _QUESTION), _Context())["statusCode"] == 200


def test_a_function_without_time_refuses(function: Function) -> None:
    assert function(_event("/generate", _LONG), _Context(seconds=0.2))["statusCode"] == 503


def test_the_service_own_deadline_holds_too(published: Settings) -> None:
    function = Function(_settings(published, request_timeout_seconds=0.2))
    try:
        result = function(_event("/generate", _LONG), _Context(seconds=900))
    finally:
        function.close()

    assert result["statusCode"] == 503
    assert "within 0.2 seconds" in json.loads(result["body"])["error"]["message"]


def test_the_model_is_loaded_once(function: Function, published: Settings, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(published.lake, lake)
    loaded = Function(_settings(published.model_copy(update={"lake": str(lake)}), follow_seconds=1000))
    try:
        shutil.rmtree(lake)
        results = [loaded(_event("/generate", _QUESTION), _Context()) for _ in range(2)]
    finally:
        loaded.close()

    assert [result["statusCode"] for result in results] == [200, 200]


def test_a_champion_that_does_not_verify_fails_the_cold_start(published: Settings, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(published.lake, lake)
    pointer = lake / "champion.json"
    pointer.write_text(pointer.read_text().replace("shop-assistant", "shop_assistant"))

    with pytest.raises(SignatureError):
        Function(_settings(published.model_copy(update={"lake": str(lake)})))


@pytest.fixture
def runtime() -> Iterator[RuntimeApi]:
    api = RuntimeApi()
    yield api
    api.close()


def _start(runtime: RuntimeApi, published: Settings, **environment: str) -> "subprocess.Popen[bytes]":
    variables = {
        "AWS_LAMBDA_RUNTIME_API": runtime.address,
        "LLMOPS_HOME": str(published.home),
        "LLMOPS_LAKE": published.lake,
        "LLMOPS_SERVING_CUSTOMER_CONTEXT": "false",
        "LLMOPS_TRUSTED_KEY": str(published.trusted_key),
        "LLMOPS_SERVING_ENGINE": "transformers",
        "LLMOPS_SERVING_THREADS": "1",
        "LLMOPS_SERVING_MAX_NEW_TOKENS_LIMIT": "980",
    }
    command = [sys.executable, "-m", "awslambdaric", "serving.serverless.handler.handler"]
    return subprocess.Popen(command, env={**os.environ, **variables, **environment})


def test_aws_own_runtime_calls_the_handler(runtime: RuntimeApi, published: Settings, client: httpx.Client) -> None:
    process = _start(runtime, published)
    try:
        first = runtime.invoke("first", _event("/generate", _QUESTION, encoded=True))
        late = runtime.invoke("late", _event("/generate", _LONG), seconds=1.5)
        again = runtime.invoke("again", _event("/readyz", "", method="GET"))
    finally:
        process.kill()
        process.wait()

    assert [path for path, _ in (first, late, again)] == [
        f"/invocation/{number}/response" for number in ("first", "late", "again")
    ]
    expected = client.post("/generate", json=_QUESTION).json()
    assert json.loads(first[1]["body"])["answer"] == expected["answer"]
    assert late[1]["statusCode"] == 503
    assert json.loads(again[1]["body"]) == {"status": "ready", "model": expected["model"]}


def test_a_failed_cold_start_is_told_to_lambda(runtime: RuntimeApi, published: Settings, tmp_path: Path) -> None:
    process = _start(runtime, published, LLMOPS_LAKE=str(tmp_path))
    try:
        poll(lambda: process.poll() is not None, timeout_seconds=120)
    finally:
        process.kill()
        process.wait()

    path, body = runtime.posted.get_nowait()
    assert path == "/init/error"
    assert body["errorType"] == "MissingArtifactError"
    assert "nothing has been published" in body["errorMessage"]
    assert process.returncode == 1
