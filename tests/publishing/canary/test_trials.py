"""How a trial begins: by a publication or by hand, one at a time, and not again by itself for what has lost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmops.errors import Refused
from llmops.publishing import pointers, releases
from llmops.publishing.canary import commands
from llmops.publishing.pointers import ChallengerPointer, Pointer
from llmops.settings import Settings
from tests.publishing.canary.site import CONFIG, Site, try_another
from tests.publishing.small_lake import make_decision, publish


def test_publication_with_a_canary_names_a_challenger(site: Site) -> None:
    pointer = site.pointer()

    assert site.champion != site.challenger
    assert site.served().sequence == pointer.champion == 1
    assert (pointer.share, pointer.sequence) == (0.1, 1)
    assert abs(pointer.since - datetime.now(UTC)) < timedelta(minutes=1)
    assert site.aliases() == {"champion": site.champion, "challenger": site.challenger}


def test_a_loser_is_tried_again_only_on_purpose(site: Site, adapter_folder: Path) -> None:
    commands.stop(settings=site.settings)
    with pytest.raises(Refused, match=f"{site.challenger} was tried against {site.champion} and lost"):
        try_another(site.settings, adapter_folder)

    told = commands.start(site.challenger, config=CONFIG, settings=site.settings)

    assert told == f"{site.challenger} answers 10% of users, beside {site.champion}"
    assert (site.pointer().share, site.pointer().sequence) == (0.1, 3)
    assert site.aliases() == {"champion": site.champion, "challenger": site.challenger}


def test_one_challenger_at_a_time(site: Site, adapter_folder: Path) -> None:
    before = site.pointer()
    with pytest.raises(Refused, match=f"{site.challenger} is being tried already"):
        try_another(site.settings, adapter_folder)
    with pytest.raises(Refused, match=f"{site.challenger} is being tried; publish again"):
        try_another(site.settings, adapter_folder, seed=2)
    with pytest.raises(Refused, match=f"{site.challenger} is being tried"):
        commands.start(site.challenger, config=CONFIG, settings=site.settings)
    with pytest.raises(Refused, match="is champion already"):
        commands.start(site.champion, config=CONFIG, settings=site.settings)

    assert site.pointer() == before


def test_the_first_release_is_champion_at_once_and_publishing_again_changes_nothing(
    settings: Settings, adapter_folder: Path
) -> None:
    decision = make_decision(settings, adapter_folder)

    first = publish(settings, decision, trial=CONFIG)
    again = publish(settings, decision, trial=CONFIG)

    assert again == first
    champion = pointers.read(Pointer, settings.lake, settings.trusted_key)
    assert champion is not None
    assert (champion.digest, champion.sequence) == (first.digest, 1)
    assert pointers.read(ChallengerPointer, settings.lake, settings.trusted_key) is None


def test_publishing_what_has_won_changes_nothing(site: Site, adapter_folder: Path) -> None:
    champion = releases.read_champion(site.settings.lake, site.settings.trusted_key)
    decision = make_decision(site.settings, adapter_folder, training_seed=1, champion=champion)
    site.pairs(15)
    site.judge()
    served = site.served()

    for trial in (CONFIG, None):  # tried or not, it is the same release
        publish(site.settings, decision, trial=trial)

    assert site.served() == served
    assert site.aliases() == {"champion": site.challenger}
