"""The chat page in a real browser, on a real server: what a customer sees, clicks and hears from a screen reader."""

import shutil
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

from tests.serving.conftest import Serve, key_of

_QUESTION = "Where is my parcel?"


@pytest.fixture(scope="module")
def page_of_server(client: httpx.Client) -> Iterator[Page]:
    """A page in headless Chromium; what it logs as an error fails the test that is running."""
    browser_path = shutil.which("chromium")
    assert browser_path, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(base_url=str(client.base_url))
        yield page
        browser.close()


@pytest.fixture
def page(page_of_server: Page, client: httpx.Client) -> Iterator[Page]:
    """The page, opened anew; an error in its script or against its policy fails the test."""
    errors: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    page_of_server.on("console", hear)
    page_of_server.goto(f"/#key={key_of(client)}")
    page_of_server.reload()
    yield page_of_server
    page_of_server.remove_listener("console", hear)
    assert errors == []


def test_reference_shows_every_route_and_tries_one(page: Page, client: httpx.Client) -> None:
    page.goto("/docs")
    routes = client.get("/openapi.json").json()["paths"]
    expect(page.locator(".opblock")).to_have_count(sum(len(methods) for methods in routes.values()))

    page.get_by_role("button", name="Authorize").click()
    page.locator(".modal-ux input").fill(key_of(client))
    page.locator(".modal-ux").get_by_role("button", name="Apply credentials").click()
    page.locator(".modal-ux").get_by_role("button", name="Close").click()
    block = page.locator(".opblock", has=page.locator('[data-path="/v1/models"]'))
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()

    model = client.get("/readyz").json()["model"]
    expect(block.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    expect(block.locator(".live-responses-table")).to_contain_text(model)


def _ask(page: Page, question: str = _QUESTION) -> None:
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Send", exact=True).click()


def test_answer_appears_with_its_model(page: Page, client: httpx.Client) -> None:
    expected = client.post("/generate", json={"messages": [{"role": "user", "content": _QUESTION}]}).json()

    expect(page.locator("#model")).to_have_text(expected["model"])
    _ask(page)

    answer = page.locator("li.answer")
    expect(answer.locator(".version")).to_contain_text(expected["model"])
    assert answer.locator(".text").text_content() == expected["answer"]
    assert page.locator("li.question .text").text_content() == _QUESTION


def test_second_question_carries_the_conversation(page: Page, client: httpx.Client) -> None:
    first = client.post("/generate", json={"messages": [{"role": "user", "content": _QUESTION}]}).json()["answer"]
    turns = [
        {"role": "user", "content": _QUESTION},
        {"role": "assistant", "content": first},
        {"role": "user", "content": "And when?"},
    ]
    expected = client.post("/generate", json={"messages": turns}).json()["answer"]

    _ask(page)
    expect(page.locator("li.answer .version")).to_have_count(1)
    expect(page.locator("li.answer .version").last).not_to_be_empty()
    _ask(page, "And when?")
    expect(page.locator("li.answer .version").last).not_to_be_empty()
    expect(page.locator("li.answer")).to_have_count(2)

    assert page.locator("li.answer .text").last.text_content() == expected
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator("li")).to_have_count(0)


def test_markup_in_a_question_is_shown_not_run(page: Page) -> None:
    _ask(page, "<img src=x onerror=document.title='owned'>")

    expect(page.locator("li.answer .version")).not_to_be_empty()
    assert page.locator("#conversation img").count() == 0
    assert page.title() == "Support assistant"


def test_enter_sends_and_shift_enter_does_not(page: Page) -> None:
    field = page.get_by_label("Your question")
    field.fill("One")
    field.press("Shift+Enter")
    field.press_sequentially("two")
    assert page.locator("li").count() == 0
    field.press("Enter")

    expect(page.locator("li.question .text")).to_have_text("One\ntwo")


def test_refusal_is_announced_in_words(serve: Serve, page_of_server: Page) -> None:
    client = serve(max_prompt_characters=10)
    page_of_server.goto(f"{client.base_url}/#key={key_of(client)}")

    _ask(page_of_server)

    expect(page_of_server.get_by_role("alert")).to_contain_text("10 are allowed; shorten it")
    expect(page_of_server.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_page_works_by_keyboard_and_names_every_control(page: Page) -> None:
    names = page.evaluate(
        """() => [...document.querySelectorAll('button, input, textarea')].map(
            (item) => item.labels?.[0]?.textContent.trim() || item.textContent.trim() || item.ariaLabel)"""
    )
    assert all(names)
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.evaluate("document.activeElement.id") == "question"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "send"


def test_page_loads_nothing_from_elsewhere_and_no_script_of_others(client: httpx.Client) -> None:
    answer = client.get("/")

    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "http" not in answer.text.replace("<!doctype html>", "")
