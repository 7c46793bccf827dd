"""What SageMaker and Vertex AI demand of a container (docs/deployment.md), of a real server."""

import os
import socket
import subprocess
import sys

import httpx
import pytest

from llmops.settings import Settings
from serving.settings import ServingSettings
from tests.serving.conftest import Serve, is_ready, poll

_QUESTION = {"prompt": "Where is my parcel?", "max_new_tokens": 20, "temperature": 0}


def test_sagemaker_hears_that_the_model_is_loaded(client: httpx.Client) -> None:
    response = client.get("/ping")

    assert response.status_code == 200
    assert response.content == b""


def test_sagemaker_gets_the_answers_of_generate(client: httpx.Client) -> None:
    expected = client.post("/generate", json=_QUESTION).json()

    found = client.post("/invocations", json=_QUESTION).json()

    assert {**found, "id": ""} == {**expected, "id": ""}


def test_sagemaker_can_stream(client: httpx.Client) -> None:
    with client.stream("POST", "/invocations", json={**_QUESTION, "stream": True}) as response:
        events = [line for line in response.iter_lines() if line.startswith("event: ")]

    assert events[-1] == "event: done"
    assert len(events) > 2


def test_errors_keep_their_shape_there(client: httpx.Client) -> None:
    response = client.post("/invocations", json={"promt": "x"})

    assert response.status_code == 422
    assert "did you mean `prompt`" in response.json()["error"]["message"]


def test_a_full_service_refuses_there_too(serve: Serve) -> None:
    client = serve(queue_size=1)
    long = {"prompt": "x", "model": "base", "max_new_tokens": 500, "stream": True}
    with client.stream("POST", "/generate", json=long):
        assert client.post("/invocations", json=_QUESTION).status_code == 503
        assert client.get("/ping").status_code == 200


@pytest.mark.parametrize(
    ("given", "port"),
    [
        ({}, 8000),
        ({"AIP_HTTP_PORT": "8085"}, 8085),
        ({"SAGEMAKER_BIND_TO_PORT": "8086"}, 8086),
        ({"LLMOPS_SERVING_PORT": "8087", "AIP_HTTP_PORT": "8085", "SAGEMAKER_BIND_TO_PORT": "8086"}, 8087),
    ],
)
def test_the_port_is_the_operators_or_the_platforms(
    given: dict[str, str], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LLMOPS_SERVING_PORT", "AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert ServingSettings().port == port
    assert ServingSettings(port=8088).port == 8088


def test_the_service_starts_as_sagemaker_starts_it(published: Settings) -> None:
    """`docker run IMAGE serve`, so the entry point gets one argument (and a port, by its variable)."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        unused_port = probe.getsockname()[1]
    variables = {
        "LLMOPS_LAKE": published.lake,
        "LLMOPS_TRUSTED_KEY": str(published.trusted_key),
        "LLMOPS_SERVING_ENGINE": "transformers",
        "LLMOPS_SERVING_THREADS": "1",
        "SAGEMAKER_BIND_TO_PORT": str(unused_port),
    }
    environment = {name: value for name, value in os.environ.items() if name != "LLMOPS_SERVING_PORT"}
    process = subprocess.Popen([sys.executable, "-m", "serving", "serve"], env={**environment, **variables})
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{unused_port}", timeout=60) as client:
            poll(lambda: is_ready(client), timeout_seconds=180)
            assert client.get("/ping").status_code == 200
    finally:
        process.kill()
        process.wait()
