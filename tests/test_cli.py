"""The command line as a user meets it, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

LLMOPS = [str(Path(sys.executable).with_name("llmops"))]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `llmops` with the arguments."""
    return subprocess.run([*LLMOPS, *arguments], capture_output=True, text=True, check=False)


def test_help_lists_stages_in_the_order_of_the_pipeline() -> None:
    text = run("--help").stdout

    order = [
        text.index(f" {name} ") for name in ("collect", "redact", "clean", "annotate", "split", "tokenize", "tune")
    ]
    assert order == sorted(order)


def test_help_of_a_stage_explains_its_configuration() -> None:
    assert "Peak learning rate" in run("finetune", "--help").stdout


def test_result_alone_is_on_stdout(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"q": "Do you ship to Norway?", "a": "Yes."}\n')
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        '[collect]\nsources=[{kind="json",name="rows",path="rows.jsonl",question="{q}",answer="{a}"}]\n'
        '[import_model]\nbase_model="x"\nlicence="MIT"\n'
    )
    target = f"{tmp_path}/lake/raw/ds=2026-11-02"

    done = run("--recipe", str(recipe), "collect", str(tmp_path), target, "--day", "2026-11-02")

    assert done.returncode == 0
    assert done.stdout == f"{target}\n"
    assert "artifact.committed" in done.stderr
    assert "Norway" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("redact", "nowhere/raw", "nowhere/redacted"), 1, "nowhere/raw: no manifest; run `llmops collect` first"),
        (("colect",), 2, "Did you mean"),
        (("redact", "a", "b", "--config.type", "CARD"), 2, "--config.types"),
        (("collect", "a", "b", "--day", "2026-13-01"), 2, "2026-13-01"),
        (("--recipe", "recipes/none.toml", "redact", "a", "b"), 1, "no such recipe"),
    ],
)
def test_mistake_gets_one_clear_message(arguments: tuple[str, ...], status: int, message: str) -> None:
    done = run(*arguments)

    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_day_without_data_is_refused_with_its_own_status(tmp_path: Path) -> None:
    target = f"{tmp_path}/raw/ds=2031-01-01"

    done = run("--recipe", "recipes/quickstart.toml", "collect", "examples/shop", target, "--day", "2031-01-01")

    assert done.returncode == 99
    assert "no source has anything for 2031-01-01" in done.stderr
    assert not Path(target).exists()
