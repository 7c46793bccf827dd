"""Names and addresses in sentences that were written for these tests; the weights are those that are shipped."""

import json
import subprocess
import sys
import time

import pytest

from llmops.guards import personal_data


def found(text: str) -> list[tuple[str, str]]:
    """Type and text of each name and address."""
    return [(span.type, text[span.start : span.end]) for span in personal_data.find(text, personal_data.TAGGED)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Hi, this is Margaret O'Connell from accounts.", "PERSON", "Margaret O'Connell"),
        ("hello my name is priya raghunathan and i cant log in", "PERSON", "priya raghunathan"),
        ("I spoke with Dr. Oluwaseun Adebayo last week.", "PERSON", "Oluwaseun Adebayo"),
        ("Sehr geehrte Frau Schröder, vielen Dank für Ihre Nachricht.", "PERSON", "Schröder"),
        ("Best regards,\nJean-Luc Moreau", "PERSON", "Jean-Luc Moreau"),
        ("Please send it to 221B Baker Street, London NW1 6XE.", "ADDRESS", "221B Baker Street, London NW1 6XE"),
        ("My address is 1600 Pennsylvania Ave NW, Washington, DC 20500", "ADDRESS", "1600 Pennsylvania Ave"),
        ("Ich wohne in der Lindenstraße 14, 10969 Berlin.", "ADDRESS", "Lindenstraße 14, 10969 Berlin"),
        ("Livrez au 12 rue de Rivoli, 75004 Paris, merci.", "ADDRESS", "12 rue de Rivoli, 75004 Paris"),
        ("ship to p.o. box 482, austin tx 78701", "ADDRESS", "p.o. box 482, austin tx 78701"),
    ],
)
def test_names_and_addresses_are_found(text: str, kind: str, value: str) -> None:
    assert any(type_ == kind and value in piece for type_, piece in found(text)), found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Dear Customer, thank you for contacting Customer Support.",
        "How do I reset my password? The app keeps crashing.",
        "Do you ship to Norway or to London?",
        "Go to Settings > Account and click Save Changes.",
        "My order from Monday has not arrived in May.",
        "Will the Premium Plan renew on Black Friday?",
        "I WANT MY MONEY BACK NOW",
        "Which floor is the office on, and which street is closed?",
    ],
)
def test_support_text_without_people_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_page_takes_milliseconds_and_time_grows_with_the_text() -> None:
    text = "Hello, my name is Anna Smith and my order from 12 Elm Street, Boston has not arrived. " * 40

    def seconds(times: int) -> float:
        started = time.process_time()
        personal_data.find(text * times, personal_data.TAGGED)
        return time.process_time() - started

    short, long = (min(seconds(times) for _ in range(3)) for times in (1, 8))

    assert long < 16 * max(short, 0.005)


def test_command_answers_each_line_with_its_spans() -> None:
    texts = ["My name is Anna Smith, mail anna@example.org", "Hello there"]
    lines = "\n".join(json.dumps({"id": place, "text": text}) for place, text in enumerate(texts))

    done = subprocess.run(
        [sys.executable, "-c", "from llmops.cli import main; main()", "guard", "personal-data"],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    )

    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [0, 1]
    spans = [(span["type"], texts[0][span["start"] : span["end"]]) for span in answers[0]["spans"]]
    assert spans == [("PERSON", "Anna Smith"), ("EMAIL", "anna@example.org")]
    assert answers[1]["spans"] == []


def test_command_names_the_line_that_is_no_text() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from llmops.cli import main; main()", "guard", "personal-data"],
        input='{"id": 1, "text": "fine"}\n{"id": 2}',
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "standard input, line 2: not of the form" in done.stderr
