"""Reading ease without a network."""

import subprocess
import sys

import pytest

from llmops.evaluation.reading_ease import flesch_reading_ease

_OFFLINE = """
import socket
def refuse(*_, **__):
    raise SystemExit("asked the network")
socket.socket.connect = socket.getaddrinfo = refuse
from llmops.evaluation.reading_ease import flesch_reading_ease
print(flesch_reading_ease("The cat sat on the mat."))
"""


def test_nothing_is_downloaded() -> None:
    done = subprocess.run([sys.executable, "-c", _OFFLINE], capture_output=True, text=True, check=True)

    assert float(done.stdout) == pytest.approx(206.835 - 1.015 * 6 - 84.6 * 1)


def test_syllables_come_from_the_dictionary() -> None:
    # Four words of 1, 3, 1 and 5 syllables ("refrigerator"); hyphenation alone finds others in "area".
    text = "The area was refrigerator."

    assert flesch_reading_ease(text) == pytest.approx(206.835 - 1.015 * 4 - 84.6 * (1 + 3 + 1 + 5) / 4)


@pytest.mark.parametrize("text", ["", " ", "?!", "12.50", "三天到达"])
def test_a_text_without_english_words_has_none(text: str) -> None:
    assert flesch_reading_ease(text) is None
