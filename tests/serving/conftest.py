"""A published release of the tiny model, and real servers that serve it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from llmops.artifacts import Manifest
from llmops.settings import Settings
from serving.app import create_app
from serving.releases import ReleaseFiles, open_release, read_named
from serving.settings import ServingSettings
from tests.publishing import conftest as publishing
from tests.publishing.small_lake import make_decision, make_lake, publish

adapter_folder, empty_store = publishing.adapter_folder, publishing.empty_store

Serve = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def published(
    tiny_model: Manifest, adapter_folder: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of a lake with a champion. Not to be changed by a test."""
    settings = make_lake(tmp_path_factory.mktemp("published"), tiny_model, empty_store)
    publish(settings, make_decision(settings, adapter_folder))
    return settings


@pytest.fixture(scope="module")
def serve(published: Settings) -> Iterator[Serve]:
    """Starts a server on a free port with the given limits and gives a client for it; all end with the module."""
    running: list[tuple[uvicorn.Server, threading.Thread, httpx.Client]] = []

    def start(**limits: Any) -> httpx.Client:
        settings = ServingSettings(platform=published, **{"threads": 1, "engine": "transformers", **limits})
        config = uvicorn.Config(create_app(settings), port=0, log_config=None, access_log=False)
        server, listening = uvicorn.Server(config), config.bind_socket()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        client = httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60)
        running.append((server, thread, client))
        thread.start()
        wait_until_ready(client)
        return client

    yield start
    for server, thread, client in running:
        client.close()
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def client(serve: Serve) -> httpx.Client:
    """A client of a server with the default limits."""
    return serve()


@contextmanager
def open_champion(settings: Settings) -> Iterator[ReleaseFiles]:
    """The champion's verified files."""
    with open_release(read_named(settings).champion.release, settings) as files:
        yield files


def wait_until_ready(client: httpx.Client, timeout_seconds: float = 180) -> None:
    """Poll /readyz."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.ConnectError:
            pass
        time.sleep(0.05)
    raise TimeoutError("the service did not become ready")
