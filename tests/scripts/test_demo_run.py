"""`make demo` as a newcomer runs it: the sample shop, a real scheduler, SmolLM2, an answer; and once more."""

import os
import re
import subprocess
import sys

import pytest

from scripts.local_airflow import PROJECT
from scripts.processes import Processes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What two runs on one fresh home print."""
    home = tmp_path_factory.mktemp("home")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("LLMOPS_", "AIRFLOW_"))}
    variables["LLMOPS_HOME"] = str(home)
    printed = []
    for module in ("scripts.prepare", "scripts.demo", "scripts.demo"):
        done = subprocess.run(
            [sys.executable, "-m", module], cwd=PROJECT, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        printed.append(done.stdout)
    assert Processes(home / "run").members() == set()
    return printed[1:]


def test_first_run_publishes_what_beats_the_untuned_model(runs: list[str]) -> None:
    first = runs[0]
    scores = dict(re.findall(r"^  (candidate|untuned) +perplexity ([\d.]+)", first, flags=re.MULTILINE))
    stages = ("collect", "redact", "clean", "annotate", "split", "import_model", "tokenize", "materialize")

    assert float(scores["candidate"]) < float(scores["untuned"])
    for stage in (*stages, "tune", "finetune", "evaluate", "gate", "publish"):
        assert re.search(rf"^  {stage} +\d+ s  ", first, flags=re.MULTILINE), stage
    assert "reused" not in first
    assert re.search(r"— support-assistant-2026-11-02-\w{8}, \d+ tokens", first)
    assert re.search(r"— base-\w{8}, \d+ tokens", first)
    assert _seconds(first) < 600


def test_second_run_serves_what_is_committed(runs: list[str]) -> None:
    first, second = runs
    stages = ("collect", "redact", "clean", "annotate", "split", "import_model", "tokenize", "materialize")

    for stage in (*stages, "tune", "finetune"):
        assert re.search(rf"^  {stage} +\d+ s  reused", second, flags=re.MULTILINE), stage
    assert re.search(r"^  evaluate +skipped: the candidate .* already is the champion", second, flags=re.MULTILINE)
    for stage in ("gate", "publish"):
        assert re.search(rf"^  {stage} +skipped", second, flags=re.MULTILINE), stage
    assert second.split("POST ")[1].splitlines()[1:-2] == first.split("POST ")[1].splitlines()[1:-2]
    assert _seconds(second) < 240


def _seconds(printed: str) -> float:
    match = re.search(r"^(\d+) s from trigger to answer", printed, flags=re.MULTILINE)
    assert match is not None, printed
    return float(match.group(1))
