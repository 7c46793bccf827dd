"""`make demo` in a process of its own and a home of its own, and what it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

from scripts.local_airflow import PROJECT
from scripts.processes import Processes


def run_demo(home: Path, *options: str, times: int = 1) -> list[str]:
    """Set a home up and run the demo there; what each run printed. Fails if one leaves a process behind."""
    processes = Processes(home / "run")
    try:
        _run(home, "scripts.prepare")
        printed = [_run(home, "scripts.demo", *options) for _ in range(times)]
        assert processes.members() == set()
    finally:
        processes.stop()
    return printed


def read_scores(printed: str, model: str) -> dict[str, float]:
    """The held-out figures of a model, without their intervals."""
    (line,) = re.findall(rf"^  {model} +(perplexity .*)$", printed, flags=re.MULTILINE)
    return {figure: float(value) for figure, value in re.findall(r"(\w+) ([\d.]+) \[", line)}


def assert_tuned_is_better(printed: str) -> None:
    """The candidate beats the untuned model by every held-out figure."""
    candidate, untuned = (read_scores(printed, model) for model in ("candidate", "untuned"))
    assert candidate["perplexity"] < untuned["perplexity"]
    assert candidate["token_f1"] > untuned["token_f1"]
    assert candidate["rouge_l"] > untuned["rouge_l"]


def _run(home: Path, module: str, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=PROJECT,
        env=os.environ | {"LLMOPS_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
