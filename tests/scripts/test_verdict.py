"""What a benchmark ends with."""

import re
import subprocess

import pytest

from scripts.local_airflow import PROJECT
from scripts.verdict import judge


@pytest.mark.parametrize(
    ("figure", "relation", "bound", "line", "status"),
    [
        (1.0512, "<=", 1.5, "quickstart: 1.051 (needs <= 1.5)", 0),
        (1.5, "<=", 1.5, "quickstart: 1.5 (needs <= 1.5)", 0),
        (1.50004, "<=", 1.5, "quickstart: 1.5 (needs <= 1.5)", 1),
        (15000.0, ">=", 15000, "quickstart: 15000 (needs >= 15000)", 0),
        (5.9, ">=", 6, "quickstart: 5.9 (needs >= 6)", 1),
        (float("nan"), "<=", 1.5, "quickstart: nan (needs <= 1.5)", 1),
    ],
)
def test_the_exit_status_says_whether_the_bound_holds(
    figure: float, relation: str, bound: float, line: str, status: int
) -> None:
    assert judge("quickstart", figure, relation, bound) == (line, status)


@pytest.mark.parametrize("arguments", [[], ["NAME=nothing"]])
def test_a_benchmark_that_is_not_there_is_told_with_those_that_are(arguments: list[str]) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "bench", "-o", "setup", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert re.search(r"there are: .*\bquickstart\b", done.stdout)
