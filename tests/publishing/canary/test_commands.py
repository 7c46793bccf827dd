"""`llmops canary` in a process of its own, as Airflow runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.publishing.canary.site import Site


@pytest.fixture
def llmops(site: Site) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs the command as Airflow does."""
    home = {"LLMOPS_HOME": str(site.settings.home), "LLMOPS_LOG_FORMAT": "json", "LLMOPS_ENVIRONMENT": "development"}
    program = Path(sys.executable).with_name("llmops")

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(program), *arguments]
        return subprocess.run(command, env=os.environ | home, capture_output=True, text=True, check=False)

    return run


def test_the_command_says_not_yet_by_its_status(
    site: Site, llmops: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    site.pairs(4)
    waiting = llmops("canary", "judge")
    site.pairs(11)
    decided = llmops("canary", "watch", "--seconds", "0.1")

    assert waiting.returncode == 75
    assert waiting.stdout == ""
    assert waiting.stderr.splitlines()[-1].startswith(f"not yet: {site.challenger} answers 10% of users")
    assert decided.returncode == 0
    assert decided.stdout.startswith(f"{site.challenger} is champion now")
    (line,) = [json.loads(text) for text in decided.stderr.splitlines() if '"canary.decided"' in text]
    kept = site.decision()
    assert line["llmops"]["canary"]["answers"] == kept["answers"]
    assert line["llmops"]["canary"]["metrics"] == kept["metrics"]


def test_start_takes_its_limits_from_the_recipe(
    site: Site, llmops: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    stopped = llmops("canary", "stop")
    assert stopped.returncode == 0, stopped.stderr
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        '[collect]\nsources=[{kind="json",name="rows",path="rows.jsonl"}]\n[import_model]\nbase_model="x"\nlicence="MIT"\n'
        "[canary]\nshares=[0.3]\nanswers_needed=[7]\n[canary.error]\npromote_below=0.2\n"
    )

    done = llmops("--recipe", str(recipe), "canary", "start", site.challenger, "--config.most-days", "3")

    assert done.returncode == 0, done.stderr
    config = site.pointer().config
    assert (config.shares, config.answers_needed, config.error.promote_below, config.most_days) == (
        (0.3,),
        (7,),
        0.2,
        3,
    )
