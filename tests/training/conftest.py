"""The smallest complete training: tiny model, eight examples, a search's result."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from llmops import artifacts
from llmops.manifest import Manifest
from llmops.training.base import load_quantised, load_tokenizer
from tests.training.samples import commit_features, commit_tuning


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """On a busy machine threads wait for each other longer than the tiny model computes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def features(tiny_model: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Eight examples to train on, two to validate with, two to test with. Not to be changed by a test."""
    return commit_features(f"{tmp_path_factory.mktemp('features')}/as_of=2026-03-02", tiny_model)


@pytest.fixture(scope="session")
def tuning(features: Manifest, tiny_model: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Learning rate 0.01 and rank 4. Not to be changed by a test."""
    return commit_tuning(f"{tmp_path_factory.mktemp('tuning')}/as_of=2026-03-02", [features, tiny_model])


@pytest.fixture(scope="session")
def tokenizer(tiny_model: Manifest) -> Any:
    """The tiny model's tokenizer."""
    return load_tokenizer(artifacts.local_folder(tiny_model))


@pytest.fixture
def quantised(tiny_model_folder: Path) -> Any:
    """The tiny model with 4-bit weights, freshly loaded."""
    return load_quantised(tiny_model_folder)
