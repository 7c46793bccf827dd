"""Fixtures that many tests share. Heavy libraries are imported only when a fixture that needs them is used."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from llmops.manifest import Manifest
from scripts.loopback import NO_PROXY

# Before anything is imported that reads them: no reporting home, no model hub, no proxy, and nothing of the settings
# of the shell that the tests were started from.
for _name in [name for name in os.environ if name.startswith(("LLMOPS_", "AIRFLOW_"))]:
    del os.environ[_name]
os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "HF_HUB_OFFLINE": "1", **NO_PROXY}


@pytest.fixture(autouse=True, scope="session")
def _nothing_but_loopback() -> Iterator[None]:
    """Refuse every connection that leaves this machine, in the tests' own process."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test connects to {address[0]}, which is not this machine")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(autouse=True)
def _no_log_configuration_stays() -> Iterator[None]:
    """A command that a test runs within this process sends logs to that test's own stderr."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer chat model in transformers' layout, outside any lake. Not to be changed by a test."""
    from tests.tiny_model import make_tiny_model  # noqa: PLC0415 - imports torch

    folder = tmp_path_factory.mktemp("tiny-model")
    make_tiny_model(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The tiny model as `llmops import-model` leaves it in a lake. Not to be changed by a test."""
    from llmops.foundation.config import ImportModelConfig  # noqa: PLC0415 - beside the stage below
    from llmops.foundation.stage import import_model  # noqa: PLC0415 - imports the hub's client

    lake = tmp_path_factory.mktemp("tiny-lake")
    config = ImportModelConfig(base_model=str(tiny_model_folder), licence="Apache-2.0")
    return import_model(f"{lake}/models/tiny", config=config)
