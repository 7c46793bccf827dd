"""Which lines of the access log count for a canary, and as what; lines as a running service has written them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from llmops.monitoring.service_log import Line
from llmops.publishing.canary.evidence import Outcome
from llmops.publishing.canary.outcomes import Answered, Rated, events

AT = datetime(2026, 3, 7, tzinfo=UTC)
MODELS = {"control": "shop-1", "challenger": "shop-2"}


def answered(answer_id: str = "a", model: str = "shop-2", **changes: Any) -> Line:
    """The line of a complete answer that took 0.25 seconds; a field that becomes None is not there."""
    fields = {
        "event.duration": 250_000_000,
        "http.response.status_code": 200,
        "url.path": "/generate",
        "gen_ai.request.model": "champion",
        "gen_ai.response.model": model,
        "gen_ai.response.id": answer_id,
        "gen_ai.response.finish_reasons": ["stop"],
        "llmops.answer.is_refusal": False,
        **{name.replace("__", "."): value for name, value in changes.items()},
    }
    return Line(AT, {name: value for name, value in fields.items() if value is not None})


def failed(status: int, error: str | None, **changes: Any) -> Line:
    return answered(
        http__response__status_code=status, error__type=error, **{"gen_ai__response__finish_reasons": None, **changes}
    )


def rated(answer_id: str, rating: str) -> Line:
    fields = {
        "http.response.status_code": 202,
        "url.path": "/v1/feedback",
        "event.duration": 1_000_000,
        "gen_ai.response.id": answer_id,
        "llmops.feedback.rating": rating,
    }
    return Line(AT, fields)


def found(*lines: Line) -> list[Answered | Rated]:
    return list(events(lines, **MODELS))


def test_a_complete_answer_has_latency_and_arm() -> None:
    good = Outcome(error=False, refusal=False, latency_seconds=0.25)

    assert found(answered("a", "shop-1"), answered("b")) == [Answered("control", good), Answered("challenger", good)]


def test_an_answer_that_declined_is_a_refusal() -> None:
    (event,) = found(answered(llmops__answer__is_refusal=True))

    assert event == Answered("challenger", Outcome(error=False, refusal=True, latency_seconds=0.25))


@pytest.mark.parametrize(
    "line",
    [
        failed(500, "internal_error"),
        failed(503, "timeout"),
        failed(503, "not_ready", gen_ai__response__id=None),
        failed(499, "client_gone"),
        failed(200, "timeout"),  # a stream that broke
        failed(200, "client_gone"),
        failed(200, None),  # likewise, and nobody said why
    ],
    ids=lambda line: f"{line.fields['http.response.status_code']}-{line.fields.get('error.type')}",
)
def test_what_did_not_end_is_an_error_without_latency(line: Line) -> None:
    assert found(line) == [Answered("challenger", Outcome(error=True))]


@pytest.mark.parametrize(
    "line",
    [
        failed(422, "prompt_too_long"),  # the caller's own fault
        failed(429, "too_many_requests", gen_ai__response__model=None, gen_ai__request__model=None),
        failed(503, "busy", gen_ai__response__model=None, gen_ai__request__model=None),
        answered(gen_ai__request__model="shop-2"),  # chose the model
        answered(gen_ai__request__model="base", gen_ai__response__model="base-12345678"),
        answered(gen_ai__response__model="shop-0"),  # the last answers of another champion
        Line(AT, {"http.response.status_code": 404, "url.path": "-", "event.duration": 1}),
    ],
)
def test_what_says_nothing_about_the_two_does_not_count(line: Line) -> None:
    assert found(line) == []


def test_the_first_rating_of_an_answer_counts_however_late() -> None:
    lines = [answered("a", "shop-1"), answered("b"), rated("b", "bad"), answered("c")]
    lines += [rated("b", "good"), rated("a", "good"), rated("a", "none"), rated("c", "none"), rated("c", "bad")]

    ratings = [event for event in found(*lines) if isinstance(event, Rated)]

    assert ratings == [Rated("challenger", True), Rated("control", False), Rated("challenger", True)]


def test_a_rating_that_was_logged_before_its_answer_counts_once() -> None:
    kinds = [type(event) for event in found(rated("a", "bad"), rated("a", "good"), answered("a"), rated("a", "bad"))]

    assert kinds == [Answered, Rated]
    assert found(rated("a", "bad"), answered("a"))[1] == Rated("challenger", True)


def test_ratings_of_answers_that_do_not_count_do_not_either() -> None:
    assert found(answered("a", gen_ai__request__model="shop-2"), rated("a", "bad"), rated("z", "bad")) == []
