"""What a look at a canary does: from the services' log to signed pointers, MLflow's aliases and the decision file."""

import multiprocessing
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from llmops.errors import NotYet, Refused
from llmops.publishing import releases
from llmops.publishing.canary import commands, controller, trials
from llmops.publishing.rollback import rollback
from llmops.settings import Settings
from tests.publishing.canary.access_log import FAILURE, REFUSAL, AccessLog
from tests.publishing.canary.site import Site
from tests.publishing.killing import judge_until
from tests.publishing.small_lake import make_decision, publish


def test_a_good_challenger_answers_more_users_step_by_step(site: Site) -> None:
    before = site.pointer()
    site.pairs(4)
    with pytest.raises(NotYet, match="10% of users"):
        site.judge()
    assert site.pointer() == before

    site.pairs(1)
    with pytest.raises(NotYet, match="50% of users"):
        site.judge()

    after = site.pointer()
    assert (after.share, after.sequence, after.since, after.digest) == (0.5, 2, before.since, before.digest)
    assert site.served().version == site.champion


def test_a_proven_challenger_becomes_champion(site: Site) -> None:
    site.pairs(15)

    told = site.judge()

    assert told.startswith(f"{site.challenger} is champion now, in place of {site.champion}")
    served = site.served()
    assert (served.version, served.sequence, served.fallback) == (site.challenger, 2, 1)
    assert site.aliases() == {"champion": site.challenger}
    decision = site.decision()
    assert decision["decision"] == "promote"
    assert decision["answers"] == {"control": 15, "challenger": 15}
    assert decision["metrics"]["error"]["challenger"] == {"count": 15, "bad": 0, "rate": 0.0}
    assert decision["metrics"]["latency"]["estimate"] == pytest.approx(1.0)
    assert site.judge().startswith("no canary is under way; the last was")
    assert site.served() == served


@pytest.mark.parametrize(("fields", "metric"), [(FAILURE, "error"), (REFUSAL, "refusal")])
def test_a_worse_challenger_is_rolled_back(site: Site, fields: dict[str, Any], metric: str) -> None:
    site.pairs(8, fields)

    told = site.judge()

    assert f"proven worse on {metric}" in told
    pointer = site.pointer()
    assert (pointer.share, pointer.sequence, pointer.version) == (0.0, 2, site.challenger)
    assert site.served().sequence == 1
    assert site.aliases() == {"champion": site.champion}
    decision = site.decision()
    assert decision["answers"]["challenger"] == 6
    assert decision["metrics"][metric]["evidence_worse"] == pytest.approx(11.1, abs=0.1)  # see CONFIG
    assert decision["metrics"][metric]["challenger"]["rate"] == 1.0


def test_bad_ratings_roll_back(site: Site) -> None:
    for _ in range(6):
        site.log.rate(site.log.answer(site.champion), "good")
        site.log.rate(site.log.answer(site.challenger), "bad")

    assert "proven worse on bad_rating" in site.judge()


def test_the_first_decision_is_final_whatever_comes_later(site: Site) -> None:
    site.pairs(15)
    site.pairs(50, FAILURE)

    assert "is champion now" in site.judge()
    assert site.decision()["answers"]["challenger"] == 15


def test_answers_before_the_trial_do_not_count(site: Site) -> None:
    site.log = AccessLog(site.settings, site.pointer().since - timedelta(hours=1))
    site.pairs(100, FAILURE)

    with pytest.raises(NotYet, match="0 answers"):
        site.judge()


def test_nothing_under_way_is_fine(settings: Settings) -> None:
    assert commands.judge(settings=settings) == "no canary is under way"
    assert "no canary has been started" in commands.show(settings=settings)
    with pytest.raises(Refused, match="no canary is under way"):
        commands.stop(settings=settings)


def test_a_trial_that_takes_too_long_ends_as_configured(site: Site) -> None:
    site.pairs(3)
    trial = trials.find(site.settings)
    assert trial is not None

    early = controller.look(trial, site.settings, site.pointer().since + timedelta(days=13.9))
    late = controller.look(trial, site.settings, site.pointer().since + timedelta(days=14.1))

    assert early.verdict.decision == "continue"
    assert late.verdict.decision == "roll_back"
    assert "undecided after 14 days" in late.verdict.reason


def test_another_champion_ends_the_trial(site: Site, adapter_folder: Path) -> None:
    champion = releases.read_champion(site.settings.lake, site.settings.trusted_key)
    decision = make_decision(site.settings, adapter_folder, training_seed=2, champion=champion)
    site.pairs(15)  # enough to be promoted
    publish(site.settings, decision)
    served = site.served()

    told = site.judge()

    assert "another release has taken the place" in told
    assert site.served() == served
    assert site.pointer().share == 0
    assert site.decision()["decision"] == "abandon"
    assert "no canary is under way" in site.judge()


def test_a_promotion_that_was_taken_back_is_not_repeated(site: Site) -> None:
    site.pairs(15)
    site.judge()
    rollback(settings=site.settings)

    assert "no canary is under way" in site.judge()
    assert site.served().version == site.champion
    assert site.decision()["decision"] == "promote"


def test_a_look_is_void_when_somebody_has_acted_since(site: Site) -> None:
    trial = trials.find(site.settings)
    assert trial is not None
    site.pairs(15)
    found = controller.look(trial, site.settings, trial.pointer.since)
    commands.stop(settings=site.settings)

    with pytest.raises(NotYet, match="has changed meanwhile"):
        controller.act(found, site.settings)

    assert found.verdict.decision == "promote"
    assert site.served().version == site.champion
    assert site.pointer().share == 0
    assert site.decision()["reason"] == "stopped by hand"


def test_stop_leaves_the_champion_alone(site: Site) -> None:
    site.pairs(2)

    assert "stopped by hand" in commands.stop(settings=site.settings)

    assert site.pointer().share == 0
    assert site.decision()["answers"] == {"control": 2, "challenger": 2}
    assert site.served().version == site.champion


@pytest.mark.parametrize(
    ("function", "event"),
    [("keep", "return"), ("point_alias", "return"), ("drop_alias", "return"), ("write_champion", "return")],
)
def test_a_controller_that_was_killed_loses_nothing(site: Site, function: str, event: str) -> None:
    site.pairs(15)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.publishing.killing", "llmops.publishing.registry"])
    process = context.Process(target=judge_until, args=(function, event, site.settings))
    process.start()
    process.join(timeout=120)
    assert process.exitcode == -signal.SIGKILL

    site.judge()

    assert (site.served().version, site.served().sequence) == (site.challenger, 2)
    assert site.aliases() == {"champion": site.challenger}
    assert site.decision()["answers"] == {"control": 15, "challenger": 15}


def test_show_tells_the_numbers_before_and_after_the_decision(site: Site) -> None:
    site.pairs(5, FAILURE)
    before = commands.show(settings=site.settings).splitlines()
    site.pairs(5, FAILURE)
    site.judge()
    after = commands.show(settings=site.settings).splitlines()

    def cells(lines: list[str]) -> list[str]:
        (row,) = [line for line in lines if line.startswith("errors")]
        return row.split()

    assert cells(before)[1:7] == ["0", "of", "5", "5", "of", "5"]
    assert cells(after)[1:7] == ["0", "of", "6", "6", "of", "6"]
    assert site.challenger in before[0]
    assert "roll_back" in after[3]
