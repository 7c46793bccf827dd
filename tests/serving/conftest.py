"""A published release of the tiny model, and real servers that serve it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client.parser import text_string_to_metric_families

from llmops.governance.access import keys
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.roles import Role
from llmops.manifest import Manifest
from llmops.settings import Settings
from serving.app import create_app
from serving.releases import ReleaseFiles, open_release, read_named
from serving.settings import ServingSettings
from tests.publishing import conftest as publishing
from tests.publishing.small_lake import make_decision, make_lake, publish

adapter_folder, empty_store = publishing.adapter_folder, publishing.empty_store

Serve = Callable[..., httpx.Client]
ServeLake = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def published(
    tiny_model: Manifest, adapter_folder: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of a lake with a champion. Not to be changed by a test."""
    settings = make_lake(tmp_path_factory.mktemp("published"), tiny_model, empty_store)
    publish(settings, make_decision(settings, adapter_folder))
    return settings


@pytest.fixture
def settings(tiny_model: Manifest, adapter_folder: Path, empty_store: Path, tmp_path: Path) -> Settings:
    """Settings of a lake with a champion, of its own for each test; a module may have its own fixture of this name."""
    settings = make_lake(tmp_path / "home", tiny_model, empty_store)
    publish(settings, make_decision(settings, adapter_folder))
    return settings


class _Servers:
    """Real servers on free ports, each with a client."""

    def __init__(self) -> None:
        self._running: list[tuple[uvicorn.Server, threading.Thread, httpx.Client]] = []

    def start(self, platform: Settings, role: Role | None = Role.DEVELOPER, **limits: Any) -> httpx.Client:
        given = {
            "threads": 1,
            "engine": "transformers",
            "follow_seconds": 0.1,
            "customer_context": False,
            "platform": platform.model_copy(update={"access_requests_per_minute": 1_000_000}),
            **limits,
        }
        settings = ServingSettings(**given)
        config = uvicorn.Config(create_app(settings), port=0, log_config=None, access_log=False)
        server, listening = uvicorn.Server(config), config.bind_socket()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        headers = {"Authorization": f"Bearer {make_key(platform, role)}"} if role else {}
        client = httpx.Client(base_url=address, headers=headers, timeout=60)
        self._running.append((server, thread, client))
        thread.start()
        poll(lambda: is_ready(client), timeout_seconds=180)
        return client

    def stop(self) -> None:
        for server, thread, client in self._running:
            client.close()
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def serve(published: Settings) -> Iterator[Serve]:
    """Starts a server of the published lake with the given limits and gives a client; all end with the module."""
    servers = _Servers()
    yield lambda **limits: servers.start(published, **limits)
    servers.stop()


@pytest.fixture
def serve_lake() -> Iterator[ServeLake]:
    """Starts a server of any lake; all end with the test."""
    servers = _Servers()
    yield servers.start
    servers.stop()


@pytest.fixture(scope="module")
def client(serve: Serve) -> httpx.Client:
    """A client of a server with the default limits."""
    return serve()


def make_key(platform: Settings, role: Role) -> str:
    """A new API key."""
    return keys.create(
        KeyStore(platform.access_keys), role=role, subject="tests", now=datetime.now(UTC), lifetime_days=1
    )


def key_of(client: httpx.Client) -> str:
    """The key that a client sends."""
    return client.headers["Authorization"].removeprefix("Bearer ")


@contextmanager
def open_champion(settings: Settings) -> Iterator[ReleaseFiles]:
    """The champion's verified files."""
    with open_release(read_named(settings).champion.release, settings) as files:
        yield files


def is_ready(client: httpx.Client) -> bool:
    """Whether the server answers that it is."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx.ConnectError:
        return False


def poll(condition: Callable[[], bool], timeout_seconds: float = 60) -> None:
    """Wait until something holds; it must within the time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come to hold"
        time.sleep(0.02)


def figure(client: httpx.Client, name: str, **labels: str) -> float:
    """The sum of a metric's samples with these labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = (sample for family in families for sample in family.samples)
    return sum(item.value for item in samples if item.name == name and labels.items() <= item.labels.items())
