"""Whether a canary rolls back what is worse, soon, and leaves alone what is not: simulated traffic through `judge`.

Both arms draw their outcomes from known distributions, the challenger's share follows the ramp, every answer is rated,
and `judge` is asked after each. A worse challenger has to be rolled back within 200 of its own answers; an equal one
is followed to its end, every metric counted. The peer looks at the same answers: the two-proportion z-test of the
error rate at p < 0.05, made for one look and here, as it is widely copied, taken after every answer.

The figure is the lowest of: the share of each worse challenger that is rolled back in time, and the share of equal
ones that is not rolled back, whatever the reason. Rows without a bound only show how far that carries.
"""

import math
import os
import random
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from llmops.publishing.canary.config import CanaryConfig
from llmops.publishing.canary.evidence import Evidence, Outcome
from llmops.publishing.canary.judge import Decision, judge
from llmops.publishing.canary.sequential import Arm
from scripts.verdict import judge as last_line

BOUND = 0.95
SIMULATIONS = 2_000
FEWER = 400
"""For rows that only show something."""
WITHIN = 200
"""The challenger's own answers within which a worse one has to be rolled back."""
OUTAGE, OUTAGE_ERRORS = range(2_750, 4_250), 0.3
"""Which answers it hits, about when the share rises from 0.2 to 0.5, and the rate of errors meanwhile."""
_CRITICAL = 1.959964
"""Standard normal quantile of p < 0.05, two-sided."""


@dataclass(frozen=True)
class World:
    """What answers are like under one arm."""

    error: float = 0.05
    refusal: float = 0.05
    bad_rating: float = 0.2
    latency_median: float = 1.0
    latency_sigma: float = 0.5
    """Of the latency's logarithm."""
    rated: float = 1.0
    """Share of answers that get a rating."""


@dataclass(frozen=True)
class Scenario:
    """A champion, a challenger, and what is expected of the canary."""

    name: str
    control: World
    challenger: World
    expected: Decision
    own_answers: int | None = None
    """The challenger's answers after which the simulation stops; without it, the canary is followed to its end."""
    is_bounded: bool = False
    """Whether the figure counts it."""
    outage: range = range(0)
    """Answers during which either arm fails often."""
    simulations: int = SIMULATIONS


@dataclass(frozen=True)
class Trial:
    """How one simulated canary ended."""

    decision: Decision
    """Neither `promote` nor `roll_back` where the simulation stopped before."""
    is_undecided: bool
    answers: int
    own_answers: int
    peer_rolled_back: bool


EQUAL = World()
SCENARIOS = (
    Scenario("errors 5 -> 20 %", EQUAL, World(error=0.2), "roll_back", WITHIN, is_bounded=True),
    Scenario("latency +50 %, sigma 0.5", EQUAL, World(latency_median=1.5), "roll_back", WITHIN, is_bounded=True),
    Scenario("bad ratings 20 -> 50 %", EQUAL, World(bad_rating=0.5), "roll_back", WITHIN, is_bounded=True),
    Scenario("equal", EQUAL, EQUAL, "promote", is_bounded=True),
    *(
        Scenario(
            f"latency +50 %, sigma {sigma}",
            World(latency_sigma=sigma),
            World(latency_median=1.5, latency_sigma=sigma),
            "roll_back",
            WITHIN,
        )
        for sigma in (0.3, 0.8)
    ),
    Scenario("equal, 1 in 10 rated", World(rated=0.1), World(rated=0.1), "promote", simulations=FEWER),
    Scenario("equal, an outage on the way", EQUAL, EQUAL, "promote", outage=OUTAGE, simulations=FEWER),
    Scenario("errors 5 -> 8 %, at the limit", EQUAL, World(error=0.08), "roll_back", simulations=FEWER),
)


def main() -> int:
    """Simulate every scenario; the exit status."""
    started = time.monotonic()
    print(f"{CanaryConfig()!r}\n")
    print(
        f"{'challenger':<30}{'canaries':>9}{'rolled back':>13}{f'in {WITHIN}':>8}{'undecided':>11}{'promoted':>10}"
        f"{'own p50':>8}{'own p95':>8}{'all p50':>9}{'z-test rolls back':>19}"
    )
    figures = []
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for scenario in SCENARIOS:
            trials = list(processes.map(partial(simulate, scenario), range(scenario.simulations), chunksize=20))
            print_row(scenario, trials)
            if scenario.is_bounded:
                in_time, harmed = share_rolled_back(trials, WITHIN), share_rolled_back(trials)
                figures.append(in_time if scenario.expected == "roll_back" else 1 - harmed)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\n{used.ru_utime + used.ru_stime:.0f} CPU seconds, {time.monotonic() - started:.0f} s")
    line, status = last_line("canary", min(figures), ">=", BOUND)
    print(line)
    return status


def simulate(scenario: Scenario, number: int) -> Trial:
    """One canary, from the first answer to its decision; `number` seeds it."""
    dice = random.Random(f"{scenario.name}/{number}")  # noqa: S311 - a simulation
    evidence = Evidence(CanaryConfig())
    verdict = judge(evidence, 0.0)
    answers, peer_rolled_back = 0, False
    own = evidence.answers
    while verdict.decision not in ("promote", "roll_back") and own["challenger"] < (scenario.own_answers or math.inf):
        answers += 1
        record(evidence, scenario, answers, verdict.share, dice)
        verdict = judge(evidence, verdict.share)
        peer_rolled_back = peer_rolled_back or z_test_rolls_back(evidence)
    is_undecided = verdict.reason.startswith("undecided")
    return Trial(verdict.decision, is_undecided, answers, own["challenger"], peer_rolled_back)


def record(evidence: Evidence, scenario: Scenario, number: int, share: float, dice: random.Random) -> None:
    """Draw the next answer and its rating, and count them."""
    arm: Arm = "challenger" if dice.random() < share else "control"
    world = scenario.challenger if arm == "challenger" else scenario.control
    if dice.random() < (OUTAGE_ERRORS if number in scenario.outage else world.error):
        evidence.record(arm, Outcome(error=True))
    else:
        latency = world.latency_median * math.exp(dice.gauss(0, world.latency_sigma))
        evidence.record(arm, Outcome(False, dice.random() < world.refusal, latency))
    if dice.random() < world.rated:
        evidence.rate(arm, is_bad=dice.random() < world.bad_rating)


def z_test_rolls_back(evidence: Evidence) -> bool:
    """The peer: error rates differ at p < 0.05 by the pooled two-proportion z-test, and the challenger's is higher."""
    control, challenger = (evidence.tallies["error"][arm] for arm in ("control", "challenger"))
    if not control.count or not challenger.count:
        return False
    pooled = (control.total + challenger.total) / (control.count + challenger.count)
    variance = pooled * (1 - pooled) * (1 / control.count + 1 / challenger.count)
    difference = challenger.total / challenger.count - control.total / control.count
    return difference > 0 and difference > _CRITICAL * math.sqrt(variance)


def share_rolled_back(trials: Sequence[Trial], within: float = math.inf) -> float:
    """Rolled back, for whatever reason, within so many of the challenger's own answers."""
    return sum(trial.decision == "roll_back" and trial.own_answers <= within for trial in trials) / len(trials)


def print_row(scenario: Scenario, trials: Sequence[Trial]) -> None:
    """One line of the table; the answers are those of canaries that ended as expected."""
    as_expected = [trial for trial in trials if trial.decision == scenario.expected]
    own, answers = sorted(trial.own_answers for trial in as_expected), sorted(trial.answers for trial in as_expected)
    undecided = sum(trial.is_undecided for trial in trials) / len(trials)
    promoted = sum(trial.decision == "promote" for trial in trials) / len(trials)
    peer = sum(trial.peer_rolled_back for trial in trials) / len(trials)
    print(
        f"{scenario.name:<30}{len(trials):>9,}{share_rolled_back(trials):>13.1%}"
        f"{share_rolled_back(trials, WITHIN):>8.1%}{undecided:>11.1%}{promoted:>10.1%}"
        f"{_quantile(own, 0.5):>8}{_quantile(own, 0.95):>8}{_quantile(answers, 0.5):>9}{peer:>19.1%}",
        flush=True,
    )


def _quantile(values: Sequence[int], part: float) -> str:
    """Of sorted values; a dash where there are none."""
    return f"{values[int(part * (len(values) - 1))]:,}" if values else "-"


if __name__ == "__main__":
    sys.exit(main())
