"""The shop, made once by the real stages, and put back as it was for every test."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from llmops.settings import Settings
from scripts.prepare import apply_features
from tests.governance.erasure import shop


@dataclass(frozen=True)
class Site:
    """A home in which the whole pipeline has run for both days."""

    settings: Settings
    recipe: Path


@pytest.fixture(scope="session")
def made(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The shop as the stages leave it. Not to be used by tests: they change it."""
    root = tmp_path_factory.mktemp("erasure")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMOPS_HOME", str(root / "home"))
        patch.setenv("LLMOPS_ENVIRONMENT", "development")
        settings = Settings()
        recipe = shop.write_sources(root / "shop", tiny_model_folder)
        shop.run("create-keys")
        apply_features(Path(settings.lake))
        shop.write_interactions(settings)
        for day in shop.DAYS:
            shop.run_lines(shop.DAILY, recipe, settings, day)
        shop.run_lines(shop.MODEL, recipe, settings, shop.AS_OF)
        shop.leave_traces(settings)
        shop.save(settings.home)
    return Site(settings, recipe)


@pytest.fixture
def site(made: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The shop as the stages have left it."""
    monkeypatch.setenv("LLMOPS_HOME", str(made.settings.home))
    monkeypatch.setenv("LLMOPS_ENVIRONMENT", "development")
    shop.put_back(made.settings.home)
    return made
