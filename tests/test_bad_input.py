"""What a person at the command line gets wrong: one clear message with the remedy, and nothing half done."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LLMOPS = str(Path(sys.executable).with_name("llmops"))
GOOD = """
[import_model]
base_model = "/no/such/model"
licence = "MIT"
[[collect.sources]]
name = "questions"
kind = "json"
path = "{day}/*.jsonl"
question = "{q}"
answer = "{a}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recipe, one day of raw data, and that day collected."""
    (tmp_path / "recipe.toml").write_text(GOOD)
    (tmp_path / "shop/2026-02-03").mkdir(parents=True)
    (tmp_path / "shop/2026-02-03/a.jsonl").write_text('{"q": "Open on Sunday?", "a": "No, on weekdays."}\n')
    assert llmops(tmp_path, *COLLECT).returncode == 0
    return tmp_path


COLLECT = ["--recipe", "recipe.toml", "collect", "shop", "lake/raw/ds=2026-02-03", "--day", "2026-02-03"]
REDACT = ["redact", "lake/raw/ds=2026-02-03", "lake/redacted/ds=2026-02-03"]


def llmops(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([LLMOPS, *words], cwd=folder, capture_output=True, text=True, check=False)


def lake(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in (folder / "lake").rglob("*")}


def refuse(folder: Path, words: list[str], status: int, *told: str) -> None:
    """Run a command that must fail with one message that holds `told`, and leave the lake as it was."""
    before = lake(folder)

    done = llmops(folder, *words)

    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    message = done.stderr[done.stderr.index("error: " if status != 99 else "not done: ") :]
    for words_told in told:
        assert words_told in message
    assert lake(folder) == before


def test_missing_input_names_the_command_that_makes_it(folder: Path) -> None:
    shutil.rmtree(folder / "lake/raw/ds=2026-02-03")

    refuse(folder, REDACT, 1, "lake/raw/ds=2026-02-03: no manifest", "run `llmops collect` first")


def test_half_written_input_is_refused(folder: Path) -> None:
    (
        folder / "lake/raw/ds=2026-02-03/_manifest.json"
    ).unlink()  # its Parquet files stay, as a killed attempt leaves them

    refuse(folder, REDACT, 1, "no manifest", "run `llmops collect` first")


def test_input_that_was_changed_is_refused(folder: Path) -> None:
    (file,) = (folder / "lake/raw").rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:-20])

    refuse(folder, REDACT, 1, "differs from its manifest", "--recollect")


def test_unknown_recipe_key_is_told_with_the_nearest_name(folder: Path) -> None:
    (folder / "recipe.toml").write_text(GOOD + "[finetune]\nlearning_rat = 1e-4\n")

    refuse(folder, COLLECT, 1, "finetune.learning_rat: unknown key; did you mean `learning_rate`?")


@pytest.mark.parametrize("day", ["2026-02-30", "03.02.2026", "yesterday"])
def test_wrong_date_is_refused(folder: Path, day: str) -> None:
    refuse(folder, [*COLLECT[:-1], day], 2, day)


def test_missing_root_is_refused(folder: Path) -> None:
    words = ["--recipe", "recipe.toml", "collect", "nowhere", "lake/raw/ds=2026-02-04", "--day", "2026-02-04"]

    refuse(folder, words, 1, "nowhere: no such folder", "pass the root")


def test_empty_day_is_not_done_and_says_so(folder: Path) -> None:
    words = ["--recipe", "recipe.toml", "collect", "shop", "lake/raw/ds=2026-02-04", "--day", "2026-02-04"]

    refuse(folder, words, 99, "no source has anything for 2026-02-04", "check the day")


def test_unreadable_file_is_set_aside_and_the_rest_goes_on(folder: Path) -> None:
    (folder / "shop/2026-02-03/b.jsonl").write_bytes(b"\xff\xfe\x00")

    assert llmops(folder, "create-keys").returncode == 0  # collecting anew is recorded in a signed log
    done = llmops(folder, *COLLECT, "--recollect")
    listed = llmops(folder, "quarantine", "list", done.stdout.strip())

    assert done.returncode == 0
    assert "unreadable_file" in listed.stdout
    assert "2026-02-03/b.jsonl" in listed.stdout


def test_wrong_setting_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_LOG_FORMAT", "xml")

    refuse(folder, REDACT, 1, "LLMOPS_LOG_FORMAT")


def test_flag_out_of_range_is_named(folder: Path) -> None:
    refuse(folder, ["clean", "lake/redacted/x", "lake/clean/x", "--config.min-characters", "0"], 2, "min-characters")
