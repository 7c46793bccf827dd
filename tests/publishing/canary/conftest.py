"""A lake where a challenger is tried."""

from pathlib import Path

import pytest

from llmops.publishing import pointers
from llmops.publishing.pointers import ChallengerPointer, Pointer
from llmops.settings import Settings
from tests.publishing.canary.access_log import AccessLog
from tests.publishing.canary.site import Site, try_another
from tests.publishing.small_lake import make_decision, publish


@pytest.fixture
def site(settings: Settings, adapter_folder: Path) -> Site:
    publish(settings, make_decision(settings, adapter_folder))
    try_another(settings, adapter_folder)
    champion = pointers.read(Pointer, settings.lake, settings.trusted_key)
    challenger = pointers.read(ChallengerPointer, settings.lake, settings.trusted_key)
    assert champion is not None
    assert challenger is not None
    return Site(settings, champion.version, challenger.version, AccessLog(settings, challenger.since))
