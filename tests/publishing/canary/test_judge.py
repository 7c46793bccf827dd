import json
import random
from statistics import mean
from typing import Any

import pytest

from llmops.publishing.canary.config import CanaryConfig, RateLimits
from llmops.publishing.canary.evidence import Evidence, Outcome
from llmops.publishing.canary.judge import Verdict, explain, judge
from llmops.publishing.canary.sequential import STAKES

GOOD = Outcome(error=False, refusal=False, latency_seconds=1.0)
FAILED = Outcome(error=True)


def small(**changes: object) -> CanaryConfig:
    """A short ramp."""
    return CanaryConfig(**{"shares": (0.1, 0.5), "answers_needed": (10, 10), "most_answers": 2_000, **changes})


def run(evidence: Evidence, dice: random.Random, *, rated: float) -> tuple[Verdict, int]:
    """Equal arms, to the end; the verdict and the challenger's answers."""
    verdict = judge(evidence, 0.0)
    while verdict.decision not in ("promote", "roll_back"):
        arm = "challenger" if dice.random() < verdict.share else "control"
        if dice.random() < 0.05:
            evidence.record(arm, FAILED)
        else:
            evidence.record(arm, Outcome(False, dice.random() < 0.05, dice.lognormvariate(0, 0.5)))
        if dice.random() < rated:
            evidence.rate(arm, is_bad=dice.random() < 0.2)
        verdict = judge(evidence, verdict.share)
    return verdict, evidence.answers["challenger"]


def test_the_first_verdict_opens_the_ramp() -> None:
    assert judge(Evidence(small()), 0.0) == Verdict("ramp", 0.1, "0 answers without proof of harm")


def test_the_share_follows_the_ramp_and_promotion_waits_for_its_end() -> None:
    config = small(shares=(0.1, 0.3, 0.6), answers_needed=(10, 1000, 5))
    evidence, share, seen = Evidence(config), 0.0, []
    for own in range(1016):
        verdict = judge(evidence, share)
        share = verdict.share
        if verdict.decision != "continue":
            seen.append((own, verdict.decision, verdict.share))
        evidence.record("control", GOOD)
        evidence.record("challenger", GOOD)

    # proof of safety is there long before: 1,000 answers without a fault on either side
    assert seen == [(0, "ramp", 0.1), (10, "ramp", 0.3), (1010, "ramp", 0.6), (1015, "promote", 1.0)]


def test_two_errors_in_the_first_twenty_answers_beside_a_faultless_control_prove_nothing() -> None:
    evidence = Evidence(CanaryConfig())
    for number in range(20):
        for _ in range(19):
            evidence.record("control", GOOD)
        evidence.record("challenger", FAILED if number in (0, 1) else GOOD)

        assert judge(evidence, 0.05).decision == "continue"


def test_a_challenger_that_always_fails_is_gone_after_a_few_answers() -> None:
    evidence = Evidence(CanaryConfig())
    own = 0
    while (verdict := judge(evidence, 0.05)).decision == "continue":
        for _ in range(19):
            evidence.record("control", GOOD)
        evidence.record("challenger", FAILED)
        own += 1

    # six fortunes, the one with stake 0.9 alone holds 1.9**own: needs 80 * 6 = 1.9**9.6 without the help of the others
    assert verdict == Verdict("roll_back", 0.0, "proven worse on error")
    assert 8 <= own <= 10


def test_a_challenger_that_refuses_what_the_control_answers_is_rolled_back() -> None:
    evidence = Evidence(CanaryConfig())
    for _ in range(20):
        evidence.record("control", GOOD)
        evidence.record("challenger", Outcome(error=False, refusal=True, latency_seconds=1.0))

    assert judge(evidence, 0.05) == Verdict("roll_back", 0.0, "proven worse on refusal")


@pytest.mark.parametrize(
    ("ratio", "is_worse", "is_within"), [(0.9, False, True), (1.04, False, True), (1.1, True, True), (1.2, True, False)]
)
def test_limits_of_latency_are_ratios(ratio: float, is_worse: bool, is_within: bool) -> None:
    """Above 1.05 is worse, below 1.15 within, between them both; the arms never vary, so it is proven soon."""
    evidence = Evidence(CanaryConfig())
    for seconds in (0.5, 4.0, 60.0) * 20:
        for _ in range(2):  # a block
            evidence.record("control", Outcome(False, False, seconds))
            evidence.record("challenger", Outcome(False, False, seconds * ratio))

    latency = evidence.comparisons["latency"]
    assert (latency.harm.value >= 80) == is_worse
    assert (latency.safety.value >= 20) == is_within
    low, high = (
        explain(evidence, judge(evidence, 0.05))["metrics"]["latency"][f"{end}_bound"] for end in ("lower", "upper")
    )
    assert low == pytest.approx(ratio, rel=1e-4)
    assert high == pytest.approx(ratio, rel=1e-4)


def test_a_challenger_without_traffic_is_neither_promoted_nor_rolled_back() -> None:
    evidence = Evidence(small())
    for _ in range(1000):
        evidence.record("control", GOOD)

        assert judge(evidence, 0.1).decision == "continue"


def test_answers_that_nothing_stands_beside_promote_nothing() -> None:
    """All traffic went to the challenger: there is no control to be no worse than."""
    evidence = Evidence(small())
    for _ in range(1999):
        evidence.record("challenger", GOOD)
    assert judge(evidence, 0.5).decision == "continue"

    evidence.record("challenger", GOOD)

    verdict = judge(evidence, 0.5)
    assert (verdict.decision, verdict.share) == ("roll_back", 0.0)
    assert "undecided after 2000 answers" in verdict.reason


def test_undecided_may_go_on_but_is_not_promoted() -> None:
    evidence = Evidence(small(most_answers=20, when_undecided="continue"))
    for _ in range(60):
        evidence.record("control", GOOD)
        evidence.record("challenger", GOOD)

    assert judge(evidence, 0.5).decision == "continue"


def test_missing_ratings_do_not_hold_up_a_promotion_unless_they_are_required() -> None:
    dice = random.Random(1)  # noqa: S311 - a fixed seed is wanted
    assert run(Evidence(CanaryConfig()), dice, rated=0.0)[0].decision == "promote"

    required = CanaryConfig(bad_rating=RateLimits(promote_below=0.1), most_answers=4_000)
    verdict, own = run(Evidence(required), dice, rated=0.0)

    assert verdict == Verdict("roll_back", 0.0, "undecided after 4000 answers: bad_rating")
    assert own == 4_000


def test_few_ratings_that_look_bad_hold_up_a_promotion() -> None:
    evidence = Evidence(small())
    for _ in range(1000):
        evidence.record("control", GOOD)
        evidence.record("challenger", GOOD)
    assert judge(evidence, 0.5).decision == "promote"

    for is_bad in (True, True, False):
        evidence.rate("control", is_bad=False)
        evidence.rate("challenger", is_bad=is_bad)

    assert judge(evidence, 0.5).decision == "continue"  # 2 of 3 against 0 of 3: not proven, but not nothing


def test_late_ratings_roll_back() -> None:
    """They come in a heap, long after their answers."""
    evidence = Evidence(CanaryConfig())
    for _ in range(50):
        evidence.record("control", GOOD)
        evidence.record("challenger", GOOD)
    assert judge(evidence, 0.05).decision == "continue"

    for _ in range(50):
        evidence.rate("control", is_bad=False)
        evidence.rate("challenger", is_bad=True)

    assert judge(evidence, 0.05) == Verdict("roll_back", 0.0, "proven worse on bad_rating")


def test_promotion_comes_with_the_answer_that_completes_the_proof() -> None:
    """Nothing differs, so each block pays limit / (1 - limit) against "at least the limit" of rates; 1/alpha is due."""
    config = small(latency={"is_required": False, "promote_below": 5.0}, promotion_alpha=0.02)
    gain = 0.03 / 0.97
    needed = next(count for count in range(1000) if mean((1 + stake * gain) ** count for stake in STAKES) >= 50)
    evidence, promoted_after = Evidence(config), 0
    while judge(evidence, 0.5).decision != "promote":
        evidence.record("control", GOOD)
        evidence.record("challenger", GOOD)
        promoted_after += 1

    assert promoted_after == needed


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"error": False, "latency_seconds": 0.0}, "latency of 0"),
        ({"error": False, "latency_seconds": float("nan")}, "latency of nan"),
        ({"error": True, "latency_seconds": 0.1}, "failed answer"),
        ({"error": True, "refusal": False}, "failed answer"),
    ],
)
def test_outcomes_that_cannot_be_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Outcome(**fields)


def test_the_log_holds_the_numbers_as_json() -> None:
    evidence = Evidence(CanaryConfig())
    for number in range(40):
        evidence.record("control", Outcome(False, False, 2.0))
        evidence.record("challenger", FAILED if number % 2 else Outcome(False, False, 2.0))
    verdict = judge(evidence, 0.05)

    entry = json.loads(json.dumps(explain(evidence, verdict), allow_nan=False))

    assert entry["decision"] == "roll_back"
    assert entry["answers"] == {"control": 40, "challenger": 40}
    error, latency = entry["metrics"]["error"], entry["metrics"]["latency"]
    assert error["challenger"] == {"count": 40, "bad": 20, "rate": 0.5}
    assert error["estimate"] == 0.5
    assert 0 < error["lower_bound"] < 0.5 < error["upper_bound"]
    assert error["evidence_worse"] >= entry["evidence_needed"]["roll_back"] == 80
    assert latency["challenger"] == {"count": 20, "seconds": pytest.approx(2.0)}
    assert entry["metrics"]["bad_rating"]["control"] == {"count": 0, "bad": 0, "rate": None}


def test_the_log_of_an_empty_canary_claims_nothing() -> None:
    evidence = Evidence(CanaryConfig())

    entry = json.loads(json.dumps(explain(evidence, judge(evidence, 0.0)), allow_nan=False))

    assert entry["metrics"]["error"]["lower_bound"] == -1
    assert entry["metrics"]["latency"]["upper_bound"] is None


def test_overwhelming_evidence_can_be_logged() -> None:
    evidence = Evidence(CanaryConfig())
    for _ in range(5_000):
        evidence.record("control", GOOD)
        evidence.record("challenger", FAILED)

    json.dumps(explain(evidence, judge(evidence, 0.5)), allow_nan=False)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shares": (0.2, 0.1), "answers_needed": (5, 5)}, "must rise"),
        ({"shares": (0.5, 1.0), "answers_needed": (5, 5)}, "below 1"),
        ({"shares": (0.5,)}, "one for each"),
        ({"answers_needed": (100, 150, 0)}, "at least 1"),
        ({"most_answers": 100}, "at most 100"),
        ({"error": {"roll_back_above": 0.1, "promote_below": 0.05}}, "exceeds promote_below"),
    ],
)
def test_a_ramp_that_makes_no_sense_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CanaryConfig(**fields)
