"""The command line as a user meets it, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llmops.guards.personal_data import TYPES

_KINDS = ", ".join(f"'{kind}'" for kind in TYPES[:-1]) + f" or '{TYPES[-1]}'"

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


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        (
            ("clean", "a", "b", "--config.min-characters", "0", "--config.similarity-threshold", "2"),
            [
                "--config.min-characters: Input should be greater than or equal to 1 (got '0')",
                "--config.similarity-threshold: Input should be less than or equal to 1 (got '2')",
            ],
        ),
        (
            ("redact", "a", "b", "--config.types", "FOO"),
            [f"--config.types: Input should be {_KINDS} (got 'FOO')"],
        ),
        (
            ("tune", "a", "b", "c", "--training.lora.rank", "x"),
            ["--training.lora.rank: Input should be a valid integer, unable to parse string as an integer (got 'x')"],
        ),
        (
            (
                "split",
                "a",
                "b",
                "--as-of",
                "2026-01-01",
                "--config.test-share",
                "0.9",
                "--config.validation-share",
                ".9",
            ),
            ["--config: validation_share and test_share leave nothing to train on; lower them"],
        ),
    ],
)
def test_flags_out_of_range_are_named_one_a_line(arguments: tuple[str, ...], problems: list[str]) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"error: {problem}" for problem in problems]


def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_LOG_FORMAT", "xml")

    done = run("redact", "a", "b")

    assert done.returncode == 1
    assert done.stderr == "error: LLMOPS_LOG_FORMAT: Input should be 'auto', 'json' or 'console' (got 'xml')\n"


def test_every_event_names_its_stage_and_run(tmp_path: Path) -> None:
    runs = [
        run("--recipe", "recipes/quickstart.toml", "collect", "examples/shop", str(tmp_path), "--day", "2026-11-02")
        for _ in range(2)
    ]

    events = [[json.loads(line) for line in done.stderr.splitlines()] for done in runs]
    assert all(len(lines) > 0 for lines in events)
    assert {event["stage"] for lines in events for event in lines} == {"collect"}
    assert [len({event["run_id"] for event in lines}) for lines in events] == [1, 1]
    assert events[0][0]["run_id"] != events[1][0]["run_id"]


def test_day_without_data_is_refused_with_its_own_status(tmp_path: Path) -> None:
    target = f"{tmp_path}/raw/ds=2031-01-01"

    done = run("--recipe", "recipes/quickstart.toml", "collect", "examples/shop", target, "--day", "2031-01-01")

    assert done.returncode == 99
    assert "no source has anything for 2031-01-01" in done.stderr
    assert not Path(target).exists()
