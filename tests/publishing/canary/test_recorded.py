"""What a canary does to the traffic stands in the audit log; a look that changes nothing does not."""

import pytest

from llmops import audit
from llmops.errors import AuditError, NotYet, Refused
from llmops.publishing.canary import commands
from llmops.publishing.rollback import rollback
from tests.publishing.canary.site import Site


def recorded(site: Site) -> list[tuple[str, str, str]]:
    """Action, object and result of the entries that end an action, but for publications."""
    found = (entry for _, entry, _ in audit.entries(site.settings.audit_log) if entry)
    ended = [entry for entry in found if entry.result != "begun" and entry.action != "publish"]
    return [(entry.action, entry.object, entry.result) for entry in ended]


def test_steps_and_the_end_of_a_trial_are_recorded(site: Site) -> None:
    site.pairs(4)
    with pytest.raises(NotYet):
        site.judge()
    assert recorded(site) == []

    site.pairs(1)
    with pytest.raises(NotYet):
        site.judge()
    site.pairs(10)
    site.judge()
    rollback(settings=site.settings)

    assert recorded(site) == [
        ("canary-ramp", site.challenger, "done"),
        ("canary-promote", site.challenger, "done"),
        ("rollback", site.settings.lake, "done"),
    ]
    assert audit.verify(site.settings)


def test_a_trial_that_is_stopped_and_one_that_is_refused_are_recorded(site: Site) -> None:
    commands.stop(settings=site.settings)
    with pytest.raises(Refused):
        commands.stop(settings=site.settings)

    actions = [(action, result) for action, _, result in recorded(site)]
    assert actions == [("canary-roll_back", "done"), ("canary-stop", "done"), ("canary-stop", "refused")]


def test_nothing_is_promoted_that_cannot_be_recorded(site: Site) -> None:
    site.pairs(15)
    site.settings.audit_log.unlink()

    with pytest.raises(AuditError, match="Nothing was done"):
        site.judge()

    assert site.served().version == site.champion
    assert site.pointer().share > 0
