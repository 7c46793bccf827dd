"""One look at a canary: judge what the services logged since it began, and do what follows.

No state is kept between looks. Each replays the log from the beginning and asks the judge after every event; the first
promotion or rollback is final, so that it does not matter when somebody looks. What is decided is written down first
and takes effect with the last write, that of a pointer: a controller that dies in between decides the same again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from llmops import audit
from llmops.errors import NotYet
from llmops.monitoring import service_log
from llmops.publishing import pointers, releases
from llmops.publishing.canary import decisions, trials
from llmops.publishing.canary.config import CanaryConfig
from llmops.publishing.canary.evidence import Evidence
from llmops.publishing.canary.judge import Verdict, explain, judge, lacking
from llmops.publishing.canary.outcomes import Answered, Rated, events
from llmops.publishing.canary.trials import Trial
from llmops.publishing.pointers import ChallengerPointer, Pointer
from llmops.settings import Settings

_FINAL = {"promote", "roll_back", "abandon"}
log = structlog.get_logger()


@dataclass(frozen=True)
class Look:
    """What was found when somebody looked."""

    trial: Trial
    evidence: Evidence
    verdict: Verdict
    at: datetime
    lines_skipped: int
    """Lines of the log that could not be read."""

    @property
    def is_final(self) -> bool:
        """Whether the trial ends here."""
        return self.verdict.decision in _FINAL


def look(trial: Trial, settings: Settings, now: datetime) -> Look:
    """Judge a trial by the log as it stands; changes nothing."""
    lines = service_log.read(settings.service_logs, dataset=service_log.ACCESS, since=trial.pointer.since)
    found = events(lines, control=trial.control.version, challenger=trial.pointer.version)
    evidence, verdict = replay(found, trial.config, trial.pointer.share)
    if trial.is_superseded:
        verdict = Verdict("abandon", 0.0, f"another release has taken the place of {trial.control.version}")
    elif verdict.decision not in _FINAL and _is_over_time(trial, now):
        missing = ", ".join(lacking(evidence)) or "too few answers"
        verdict = Verdict("roll_back", 0.0, f"undecided after {trial.config.most_days:g} days: {missing}")
    return Look(trial, evidence, verdict, now, lines.skipped)


def replay(found: Iterable[Answered | Rated], config: CanaryConfig, share: float) -> tuple[Evidence, Verdict]:
    """All evidence up to the first final verdict, or to the end, and the verdict then."""
    evidence = Evidence(config)
    verdict = judge(evidence, share)
    for event in found:
        event.tell(evidence)
        verdict = judge(evidence, share)
        if verdict.decision in _FINAL:
            break
    return evidence, verdict


def _is_over_time(trial: Trial, now: datetime) -> bool:
    """Whether the trial has to end for its length alone."""
    is_long = now - trial.pointer.since > timedelta(days=trial.config.most_days)
    return is_long and trial.config.when_undecided == "roll_back"


def act(found: Look, settings: Settings) -> str:
    """Do what a look says; one line about it. Raises NotYet when the trial goes on, with the same line."""
    _require_unchanged(found.trial, settings)
    if found.is_final:
        end = _promote if found.verdict.decision == "promote" else _end
        with audit.recorded(f"canary-{found.verdict.decision}", found.trial.pointer.version, settings) as outcome:
            outcome.detail = end(found, settings)
        return outcome.detail
    if found.verdict.decision == "ramp":
        with audit.recorded("canary-ramp", found.trial.pointer.version, settings) as outcome:
            trials.set_share(found.trial, found.verdict.share, settings)
            outcome.detail = f"answers {found.verdict.share:.0%} of users"
        log.info("canary.ramped", version=found.trial.pointer.version, share=found.verdict.share)
    raise NotYet(_line(found, f"answers {found.verdict.share:.0%} of users"))


def _promote(found: Look, settings: Settings) -> str:
    trial = found.trial
    challenger = releases.read_challenger(trial.pointer, trial.control, settings.lake, settings.trusted_key)
    assert challenger is not None  # noqa: S101 - it has a share, and its champion is champion
    uri = _record(found, settings)

    # MLflow takes 3 CPU seconds to import: most looks change nothing and do not pay them.
    from llmops.publishing import registry  # noqa: PLC0415 - see above

    registry.point_alias(challenger.release, tracking_uri=settings.tracking_uri)
    registry.drop_alias(trial.pointer.digest, registry.CHALLENGER, tracking_uri=settings.tracking_uri)
    _require_unchanged(trial, settings)
    releases.write_champion(settings.lake, challenger.release, trial.pointer.version, settings=settings)
    return _line(found, f"is champion now, in place of {trial.control.version}; see {uri}")


def _end(found: Look, settings: Settings) -> str:
    """The challenger answers nobody any more."""
    trial = found.trial
    uri = _record(found, settings)

    from llmops.publishing import registry  # noqa: PLC0415 - as above

    registry.drop_alias(trial.pointer.digest, registry.CHALLENGER, tracking_uri=settings.tracking_uri)
    trials.set_share(trial, 0.0, settings)
    return _line(found, f"is tried no more; see {uri}")


def _record(found: Look, settings: Settings) -> str:
    """Log the decision and keep it, with its numbers; where."""
    decision = describe(found)
    log.info("canary.decided", **{"event.dataset": "llmops.canary", "llmops.canary": decision})
    return decisions.keep(settings.lake, decision)


def describe(found: Look) -> dict[str, Any]:
    """All numbers behind a look: `explain`'s, and which trial they are about."""
    trial = found.trial
    named: dict[str, Pointer] = {"champion": trial.control, "challenger": trial.pointer}
    return {
        **{
            arm: {"version": pointer.version, "digest": pointer.digest, "sequence": pointer.sequence}
            for arm, pointer in named.items()
        },
        "since": trial.pointer.since.isoformat(),
        "judged_at": found.at.isoformat(),
        "log_lines_skipped": found.lines_skipped,
        **explain(found.evidence, found.verdict),
    }


def _require_unchanged(trial: Trial, settings: Settings) -> None:
    """Somebody may have named another champion or challenger since the look began."""
    challenger = pointers.read(ChallengerPointer, settings.lake, settings.trusted_key)
    champion = pointers.read(Pointer, settings.lake, settings.trusted_key)
    is_champion = champion is not None and champion.sequence == trial.pointer.champion
    if challenger != trial.pointer or is_champion == trial.is_superseded:
        raise NotYet("champion or challenger has changed meanwhile; look again")


def _line(found: Look, what: str) -> str:
    answers = found.evidence.answers
    return (
        f"{found.trial.pointer.version} {what} ({found.verdict.reason}; {answers['challenger']} answers, "
        f"champion {answers['control']})"
    )
