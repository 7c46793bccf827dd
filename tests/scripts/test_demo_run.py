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
    processes = Processes(home / "run")
    try:
        printed = [_run(module, variables) for module in ("scripts.prepare", "scripts.demo", "scripts.demo")]
        assert processes.members() == set()
    finally:
        processes.stop()
    return printed[1:]


def _run(module: str, variables: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module], cwd=PROJECT, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_first_run_publishes_what_beats_the_untuned_model(runs: list[str]) -> None:
    first = runs[0]
    stages = ("collect", "redact", "clean", "annotate", "split", "import_model", "tokenize", "materialize")

    candidate, untuned = (_scores(first, model) for model in ("candidate", "untuned"))
    assert candidate["perplexity"] < untuned["perplexity"]
    assert candidate["token_f1"] > untuned["token_f1"]
    assert candidate["rouge_l"] > untuned["rouge_l"]
    for stage in (*stages, "tune", "finetune", "evaluate", "gate", "publish"):
        assert re.search(rf"^  {stage} +\d+ s  ", first, flags=re.MULTILINE), stage
    assert "reused" not in first
    assert re.search(r"— support-assistant-2026-11-02-\w{8}, \d+ tokens", first)
    assert re.search(r"— base-\w{8}, \d+ tokens", first)


def test_second_run_serves_what_is_committed(runs: list[str]) -> None:
    first, second = runs
    stages = ("collect", "redact", "clean", "annotate", "split", "import_model", "tokenize", "materialize")

    for stage in (*stages, "tune", "finetune"):
        assert re.search(rf"^  {stage} +\d+ s  reused", second, flags=re.MULTILINE), stage
    assert re.search(r"^  evaluate +skipped: the candidate .* already is the champion", second, flags=re.MULTILINE)
    for stage in ("gate", "publish"):
        assert re.search(rf"^  {stage} +skipped", second, flags=re.MULTILINE), stage
    assert second.split("POST ")[1].splitlines()[1:-2] == first.split("POST ")[1].splitlines()[1:-2]


def _scores(printed: str, model: str) -> dict[str, float]:
    """The held-out figures of a model, without their intervals."""
    (line,) = re.findall(rf"^  {model} +(perplexity .*)$", printed, flags=re.MULTILINE)
    return {figure: float(value) for figure, value in re.findall(r"(\w+) ([\d.]+) \[", line)}
