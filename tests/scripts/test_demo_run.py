"""`make demo` as a newcomer runs it: the sample shop, a real scheduler, SmolLM2, an answer; and once more."""

import re

import pytest

from tests.demo_runs import assert_tuned_is_better, run_demo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
DATA_STAGES = ("collect", "redact", "clean", "annotate", "materialize_customers")
DATA_STAGES += ("split", "import_model", "tokenize", "materialize")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What two runs on one fresh home print."""
    return run_demo(tmp_path_factory.mktemp("home"), times=2)


def test_first_run_publishes_what_beats_the_untuned_model(runs: list[str]) -> None:
    first = runs[0]

    assert_tuned_is_better(first)
    for stage in (*DATA_STAGES, "tune", "finetune", "evaluate", "gate", "publish"):
        assert re.search(rf"^  {stage} +\d+ s  ", first, flags=re.MULTILINE), stage
    assert "reused" not in first
    assert re.search(r"— support-assistant-2026-11-02-\w{8}, \d+ tokens", first)
    assert re.search(r"— base-\w{8}, \d+ tokens", first)


def test_second_run_serves_what_is_committed(runs: list[str]) -> None:
    first, second = runs

    for stage in (*DATA_STAGES, "tune", "finetune"):
        assert re.search(rf"^  {stage} +\d+ s  reused", second, flags=re.MULTILINE), stage
    assert re.search(r"^  evaluate +skipped: the candidate .* already is the champion", second, flags=re.MULTILINE)
    for stage in ("gate", "publish"):
        assert re.search(rf"^  {stage} +skipped", second, flags=re.MULTILINE), stage
    assert second.split("POST ")[1].splitlines()[1:-2] == first.split("POST ")[1].splitlines()[1:-2]
