"""Fixtures that many tests share. Heavy libraries are imported only when a fixture that needs them is used."""

from pathlib import Path

import pytest

from llmops.artifacts import Manifest


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
