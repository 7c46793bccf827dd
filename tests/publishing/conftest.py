"""What a publication needs: an adapter, an empty MLflow store, a lake."""

from pathlib import Path

import pytest

from llmops.manifest import Manifest
from llmops.settings import Settings
from tests.publishing.small_lake import make_adapter, make_lake


@pytest.fixture(scope="session")
def adapter_folder(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter of the tiny model."""
    folder = tmp_path_factory.mktemp("adapter")
    make_adapter(tiny_model_folder, folder)
    return folder


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables and nothing in them; making one takes seconds."""
    from llmops.publishing.registry import create_database  # noqa: PLC0415 - imports MLflow

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    create_database(f"sqlite:///{path}")
    return path


@pytest.fixture
def settings(tmp_path: Path, tiny_model: Manifest, empty_store: Path) -> Settings:
    """A lake with a base model, keys and an MLflow store of its own."""
    return make_lake(tmp_path, tiny_model, empty_store)
