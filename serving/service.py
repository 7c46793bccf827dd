"""What the app holds while it runs: its settings and, once verified and loaded, the model that answers."""

from dataclasses import dataclass
from importlib import import_module

from llmops.publishing.releases import ReleaseRecord
from serving.engines.contract import Engine
from serving.releases import open_champion
from serving.settings import ServingSettings


@dataclass(frozen=True)
class Loaded:
    """An engine with the release it answers for."""

    engine: Engine
    record: ReleaseRecord


@dataclass
class Service:
    """State of one process: nothing is loaded at first."""

    settings: ServingSettings
    loaded: Loaded | None = None
    failure: BaseException | None = None
    """Why nothing could be loaded."""


def load_champion(settings: ServingSettings) -> Loaded:
    """Verify the champion and load it; takes seconds to minutes, so it belongs in a thread.

    Raises SignatureError, ArtifactError or ConfigurationError, with the remedy, unless everything verifies.
    """
    with open_champion(settings.platform) as release:
        engines = import_module(f"serving.engines.{settings.engine}")  # by name: only the engine in use is imported
        engine = engines.load(release, queue_size=settings.queue_size, threads=settings.threads)
        return Loaded(engine, release.record)
