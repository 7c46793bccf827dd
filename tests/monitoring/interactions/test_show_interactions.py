"""The two commands as an operator types them, in processes of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.monitoring.interactions.samples import OLA, answer_id, exchange, feedback, write

LLMOPS = str(Path(sys.executable).with_name("llmops"))


def llmops(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([LLMOPS, *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A stored day with one answer to Kari and one to Ola."""
    folder = tmp_path_factory.mktemp("interactions")
    ola = {"subject": OLA, "answer": "It says \x1b[2J\nand \x9b1m."}
    write(folder / "spool", exchange(1), exchange(2, **ola), feedback(1, rating="good", corrected_answer="Four."))
    target = f"{folder}/lake/interactions/ds=2026-11-02"

    done = llmops("store-interactions", f"{folder}/spool", target, "--day", "2026-11-02")

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{target}\n"
    assert "Question" not in done.stderr
    return target


def test_answers_are_shown_without_their_text(stored: str) -> None:
    shown = llmops("show-interactions", stored).stdout

    first, second, total, counts = shown.splitlines()
    assert first.split()[0] == answer_id(1)
    assert first.split()[-3:] == ["good", "trains", "corrected"]
    assert second.split()[-3:] == ["unrated", "-", "unrated"]
    assert total.startswith("2 of 2 answers")
    assert "trainable 1" in counts
    assert not any(text in shown for text in ("Question", "Answer", "Four", "Parcels"))


def test_text_is_shown_on_request_and_cannot_command_the_terminal(stored: str) -> None:
    shown = llmops("show-interactions", stored, "--text").stdout

    assert "question: Question 1?" in shown
    assert "corrected_answer: Four." in shown
    assert r"answer: It says \x1b[2J\nand \x9b1m." in shown


def test_one_subject_is_shown_alone(stored: str) -> None:
    shown = llmops("show-interactions", stored, "--subject", OLA).stdout

    assert answer_id(2) in shown
    assert answer_id(1) not in shown
    assert "1 of 2 answers" in shown


def test_day_on_which_nothing_was_said_is_skipped(stored: str) -> None:
    spool = str(Path(stored).parents[2] / "spool")

    done = llmops("store-interactions", spool, stored.replace("11-02", "11-03"), "--day", "2026-11-03")

    assert done.returncode == 99
    assert "nothing was written on 2026-11-03" in done.stderr
