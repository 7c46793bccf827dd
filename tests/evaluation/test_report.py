"""The report in a real browser: one file that asks for nothing, and shows every figure of every model."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from llmops.evaluation import report
from llmops.evaluation.answers import score_answer
from llmops.evaluation.summary import Score, summarise, summarise_slices
from tests.training.samples import PAIRS


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    """Three models, of which one answers everything with one sentence; another word order of the references."""
    scores = {
        "candidate": _score(lambda answer: answer),
        "untuned": _score(lambda _: "I'm sorry, but I can't help with that."),
        "champion": _score(lambda answer: " ".join(reversed(answer.split()))),
    }
    found = {name: summarise(rows, resamples=50, seed=0) for name, rows in scores.items()}
    return {
        "models": found,
        "slices": summarise_slices(scores, resamples=50, seed=0),
        "references": {name: found["candidate"][name] for name in ("reading_ease", "words")},
        "examples": len(PAIRS),
        "answered_examples": len(PAIRS),
    }


def _score(answer: Any) -> list[Score]:
    return [
        Score(
            str(place),
            float(place + 1),
            5,
            slices={"source": "<faq>" if place % 2 else "chats"},
            **vars(score_answer(reference, answer(reference))),
        )
        for place, (_, reference) in enumerate(PAIRS)
    ]


@pytest.fixture
def page(figures: dict[str, Any], tmp_path: Path) -> Iterator[Page]:
    """The report, opened from a file; a request for anything else or a complaint of the browser fails the test."""
    file = tmp_path / "report.html"
    subjects = {name: name[0] * 64 for name in figures["models"]}
    file.write_text(report.render(figures, subjects, date(2026, 3, 2)), encoding="utf-8")
    browser_path = shutil.which("chromium")
    assert browser_path, "Chromium is missing: apt-get install chromium"
    heard: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        page.on("console", lambda message: heard.append(message.text))
        page.on("request", lambda request: heard.append(request.url))
        page.goto(file.as_uri())
        yield page
        browser.close()
    assert heard == [file.as_uri()]


def test_models_stand_side_by_side_with_intervals(page: Page, figures: dict[str, Any]) -> None:
    row = page.get_by_role("row").filter(has_text="Token F1").first

    cells = row.get_by_role("cell").all_inner_texts()

    assert cells[0] == "1 [1, 1]"  # the candidate says what the references say
    assert cells[2].startswith(f"{figures['models']['untuned']['token_f1']['value']:.3g} [")
    assert cells[3] == str(len(PAIRS))
    refused = page.get_by_role("row").filter(has_text="Refused").first.get_by_role("cell").all_inner_texts()
    assert refused[:3] == ["0 [0, 0]", "0 [0, 0]", "1 [1, 1]"]


def test_plots_are_drawn_and_fit_the_page(page: Page) -> None:
    boxes = [found.bounding_box() for found in page.locator("svg").all()]

    assert len(boxes) == 1 + 3
    assert all(box and box["width"] > 150 and box["height"] > 100 for box in boxes)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_names_from_the_data_stay_text(page: Page) -> None:
    expect(page.get_by_role("rowheader", name="<faq> (6)").first).to_be_visible()


def test_equal_figures_give_an_equal_page(figures: dict[str, Any]) -> None:
    subjects = dict.fromkeys(figures["models"], "0" * 64)

    assert report.render(figures, subjects, None) == report.render(figures, subjects, None)
