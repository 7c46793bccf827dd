"""Which day a run is about; `test_scheduler.py` shows the same with real runs of every kind."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
import shared


@dataclass
class Run:
    """What Airflow tells about a run."""

    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    run_after: datetime = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)
    run_type: str = "manual"


MIDNIGHT = datetime(2026, 11, 2, tzinfo=UTC)
DAY = timedelta(days=1)
HAMBURG = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param(Run(MIDNIGHT, MIDNIGHT + DAY, MIDNIGHT + DAY), "2026-11-02", id="scheduled or backfilled"),
        pytest.param(
            Run(MIDNIGHT + timedelta(hours=3), MIDNIGHT + DAY + timedelta(hours=3)), "2026-11-02", id="at 3 o'clock"
        ),
        pytest.param(
            Run(datetime(2026, 11, 3, 0, 30, tzinfo=HAMBURG), datetime(2026, 11, 4, 0, 30, tzinfo=HAMBURG)),
            "2026-11-02",
            id="days are UTC",
        ),
        pytest.param(Run(), "2026-11-04", id="no interval: the last complete day"),
        pytest.param(Run(run_after=datetime(2026, 11, 5, tzinfo=UTC)), "2026-11-04", id="complete at midnight"),
        pytest.param(Run(run_after=datetime(2026, 11, 5, 0, 30, tzinfo=HAMBURG)), "2026-11-03", id="complete in UTC"),
        pytest.param(Run(MIDNIGHT, MIDNIGHT), "2026-11-01", id="an interval without length says nothing"),
    ],
)
def test_day_of_a_run(run: Run, expected: str) -> None:
    assert shared.run_day(run, {"day": None}) == expected


def test_param_decides_the_day_whatever_the_interval() -> None:
    run = Run(MIDNIGHT, MIDNIGHT + DAY)

    assert shared.run_day(run, {"day": "2026-11-07"}) == "2026-11-07"


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", "2026-11-02; rm -rf /"])
def test_param_that_is_no_date_is_an_error(day: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|day"):
        shared.run_day(Run(), {"day": day})


@pytest.mark.parametrize(
    ("run_type", "train", "expected"),
    [
        ("scheduled", "auto", True),
        ("manual", "auto", True),
        ("asset_triggered", "auto", True),
        ("backfill", "auto", False),
        ("backfill", "yes", True),
        ("scheduled", "no", False),
        ("manual", "no", False),
    ],
)
def test_backfilled_days_train_only_when_asked(run_type: str, train: str, expected: bool) -> None:
    assert shared.is_training_wanted(Run(run_type=run_type), {"train": train}) is expected
