"""Error rates over whole canaries, by simulation: smaller counts than `make bench NAME=canary`, the same claims."""

from benchmarks.canary import EQUAL, OUTAGE, Scenario, World, share_rolled_back, simulate


def test_a_worse_challenger_is_rolled_back_within_200_of_its_answers() -> None:
    for name, challenger in (
        ("errors", World(error=0.2)),
        ("latency", World(latency_median=1.5)),
        ("ratings", World(bad_rating=0.5)),
    ):
        scenario = Scenario(name, EQUAL, challenger, "roll_back", 200)

        trials = [simulate(scenario, number) for number in range(60)]

        # Binomial(60, 0.95) is below 52 with chance 0.006, and the seeds are fixed
        assert share_rolled_back(trials, 200) >= 52 / 60


def test_an_equal_challenger_is_promoted() -> None:
    trials = [simulate(Scenario("equal", EQUAL, EQUAL, "promote"), number) for number in range(40)]

    assert sum(trial.decision == "promote" for trial in trials) >= 36
    assert sum(trial.peer_rolled_back for trial in trials) >= 8  # what looking at a one-look test does


def test_an_outage_of_both_arms_is_not_blamed_on_the_challenger() -> None:
    """The rates pooled over the ramp differ, because more of the challenger's answers came late."""
    scenario = Scenario("outage", EQUAL, EQUAL, "promote", outage=OUTAGE)

    trials = [simulate(scenario, number) for number in range(30)]

    assert share_rolled_back(trials) <= 3 / 30
    assert sum(trial.peer_rolled_back for trial in trials) >= 20


def test_a_challenger_at_the_limit_is_hardly_ever_promoted() -> None:
    trials = [simulate(Scenario("limit", EQUAL, World(error=0.08), "roll_back"), number) for number in range(30)]

    assert sum(trial.decision == "promote" for trial in trials) <= 3


def test_simulations_differ_by_their_number_alone() -> None:
    scenario = Scenario("errors", EQUAL, World(error=0.2), "roll_back", 200)

    assert simulate(scenario, 1) == simulate(scenario, 1)
    assert len({simulate(scenario, number).answers for number in range(5)}) > 1
