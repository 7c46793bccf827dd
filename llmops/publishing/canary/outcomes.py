"""What the services' access log says of a canary: lines in, what `Evidence` counts out.

Only who asked for the deployed model was drawn at random between champion and challenger, so only these answers
count; who named a version chose it. What was refused before a model had been chosen (a full queue, a spent budget, a
wrong key) says nothing about either, nor does what a model was right to refuse (4xx).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from llmops.monitoring.service_log import Line
from llmops.publishing.canary.evidence import Evidence, Outcome
from llmops.publishing.canary.sequential import Arm

_DEPLOYED = "champion"
"""The name that is asked for by whoever takes what the operator serves."""
_CLIENT_LEFT = 499
_NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that has ended, one way or another."""

    arm: Arm
    outcome: Outcome

    def tell(self, evidence: Evidence) -> None:
        """Count it."""
        evidence.record(self.arm, self.outcome)


@dataclass(frozen=True, slots=True)
class Rated:
    """What a user said about an answer."""

    arm: Arm
    is_bad: bool

    def tell(self, evidence: Evidence) -> None:
        """Count it."""
        evidence.rate(self.arm, is_bad=self.is_bad)


def events(lines: Iterable[Line], *, control: str, challenger: str) -> Iterator[Answered | Rated]:
    """Outcomes and ratings of both versions' answers, in the order of the lines.

    The first rating of an answer counts, however late. One that was logged before the answer's own line (a stream's is
    logged at its end) counts right after it.
    """
    arms: dict[str, Arm] = {control: "control", challenger: "challenger"}
    answers: dict[str, Arm] = {}
    early: dict[str, bool] = {}
    rated: set[str] = set()
    for _, fields in lines:
        answer_id = fields.get("gen_ai.response.id", "")
        rating = fields.get("llmops.feedback.rating")
        if rating in {"good", "bad"} and answer_id not in rated:
            if answer_id in answers:
                rated.add(answer_id)
                yield Rated(answers[answer_id], rating == "bad")
            else:
                early.setdefault(answer_id, rating == "bad")
        arm = arms.get(fields.get("gen_ai.response.model", ""))
        if arm is None or fields.get("gen_ai.request.model") != _DEPLOYED:
            continue
        outcome = _outcome(fields)
        if outcome is None:
            continue
        answers[answer_id] = arm
        yield Answered(arm, outcome)
        if answer_id in early:
            rated.add(answer_id)
            yield Rated(arm, early.pop(answer_id))


def _outcome(fields: dict[str, Any]) -> Outcome | None:
    """How a request went that a model was chosen for; None where the caller is to blame.

    A complete answer alone has reasons why it finished: a stream whose client left, or that broke, says 200 as well.
    """
    status = fields["http.response.status_code"]
    if 400 <= status < 500 and status != _CLIENT_LEFT:
        return None
    if status >= 400 or "error.type" in fields or "gen_ai.response.finish_reasons" not in fields:
        return Outcome(error=True)
    return Outcome(
        error=False,
        refusal=fields.get("llmops.answer.is_refusal"),
        latency_seconds=max(fields["event.duration"], 1) / _NANOSECONDS,
    )
