"""`llmops canary`: try a release on part of the traffic; it becomes champion, or goes, by what the services log."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import structlog
from cyclopts import App, Parameter

from llmops import audit
from llmops.errors import NotYet, Refused
from llmops.publishing import releases
from llmops.publishing.canary import controller, decisions, table, trials
from llmops.publishing.canary.config import CanaryConfig
from llmops.publishing.canary.judge import Verdict
from llmops.settings import Settings

SettingsGiven = Annotated[Settings, Parameter(parse=False)]
app = App(name="canary", help=__doc__)
log = structlog.get_logger()


@app.command
def start(release: str, *, config: CanaryConfig, settings: SettingsGiven) -> str:
    """Send the first share of users to a release that was published before; one that has lost may be tried again.

    Running services follow within seconds. What it has to prove is fixed by this, until the trial ends.

    Parameters
    ----------
    release
        Its version, or its folder in the lake.
    """
    with audit.recorded("canary-start", release, settings) as outcome:
        outcome.detail = _start(release, config, settings)
    return outcome.detail


def _start(release: str, config: CanaryConfig, settings: Settings) -> str:
    champion = releases.read_champion(settings.lake, settings.trusted_key)
    if champion is None:
        raise Refused(f"{settings.lake}: no champion to compare with; the first release is published without a canary")
    found = trials.read_challenger(release, settings)
    version = releases.read_record(found).version
    if champion.release.digest == found.digest:
        raise Refused(f"{version} is champion already")
    under_way = trials.find(settings)
    if under_way is not None and not under_way.is_superseded:
        raise Refused(f"{under_way.pointer.version} is being tried; `llmops canary stop` ends that")

    # MLflow takes 3 CPU seconds to import, as everywhere only where it is needed.
    from llmops.publishing import registry  # noqa: PLC0415 - see above

    registry.point_alias(found, registry.CHALLENGER, tracking_uri=settings.tracking_uri)
    now = datetime.now(UTC)
    pointer = trials.begin(found, version, champion.pointer, config=config, settings=settings, now=now)
    return f"{version} answers {pointer.share:.0%} of users, beside {champion.record.version}"


@app.command
def judge(*, settings: SettingsGiven) -> str:
    """Look once: promote the challenger, roll it back, let it answer more users, or wait.

    Exit status 0 when it has been decided or nothing is under way, 75 when it is not decided yet.
    """
    trial = trials.find(settings)
    if trial is None:
        return f"no canary is under way{_last(settings)}"
    return controller.act(controller.look(trial, settings, datetime.now(UTC)), settings)


@app.command
def watch(*, seconds: float = 60.0, settings: SettingsGiven) -> str:
    """Look again and again until it is decided.

    Parameters
    ----------
    seconds
        Time between two looks.
    """
    while True:
        try:
            return judge(settings=settings)
        except NotYet as waiting:
            log.info("canary.continued", reason=str(waiting))
            time.sleep(seconds)


@app.command
def show(*, settings: SettingsGiven) -> str:
    """Show the numbers of the canary that is under way, or else of the last one that was decided."""
    trial = trials.find(settings)
    if trial is not None:
        return table.render(controller.describe(controller.look(trial, settings, datetime.now(UTC))))
    last = next(decisions.kept(settings.lake), None)
    return table.render(last) if last else f"no canary has been started in {settings.lake}"


@app.command
def stop(*, settings: SettingsGiven) -> str:
    """End the trial; the champion answers everybody again."""
    with audit.recorded("canary-stop", settings.lake, settings) as outcome:
        outcome.detail = _stop(settings)
    return outcome.detail


def _stop(settings: Settings) -> str:
    trial = trials.find(settings)
    if trial is None:
        raise Refused(f"no canary is under way{_last(settings)}")
    found = controller.look(trial, settings, datetime.now(UTC))
    return controller.act(replace(found, verdict=Verdict("roll_back", 0.0, "stopped by hand")), settings)


def _last(settings: Settings) -> str:
    last = next(decisions.kept(settings.lake), None)
    return f"; the last was {last['challenger']['version']}: {last['decision']}, {last['reason']}" if last else ""
