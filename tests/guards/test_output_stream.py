"""A stream gives what the whole text gives, however it is cut, and holds back little."""

import random
import time
from collections.abc import Callable

import pytest

from llmops.guards.output import HELD_AT_MOST, OutputFilter, OutputPolicy, clean
from tests.guards import output_cases
from tests.guards.output_cases import POLICY


def streamed(pieces: list[str]) -> tuple[str, dict[str, int], int]:
    """The joined output, the findings and the most that was held."""
    stream = OutputFilter(POLICY)
    written, held = [], 0
    for piece in pieces:
        written.append(stream.feed(piece))
        held = max(held, stream.held)
    return "".join([*written, stream.finish()]), dict(stream.findings), held


@pytest.mark.parametrize("block", range(20))
def test_cutting_changes_nothing(block: int) -> None:
    for seed in range(block * 150, block * 150 + 150):
        dice = random.Random(seed)  # noqa: S311 - the same text every time
        text = output_cases.random_text(dice)
        whole = clean(text, policy=POLICY)

        joined, findings, held = streamed(output_cases.cut(text, dice))

        assert (joined, findings) == (whole.text, dict(whole.findings)), f"seed {seed}"
        assert held <= HELD_AT_MOST


@pytest.mark.parametrize(
    "text",
    [
        "see ![chart](https://evil.example/?q=",
        "see [x](https://shop.example/a",
        "see [x](",
        "so [x]",
        "wow!",
        "call https://",
        "call https:",
        "<img src=x",
        "<|im_sta",
        "[Answe",
        "###",
        "\x1b[3",
        "\x1b",
        "card 4111 1111 1111 1111",
        "card 4111 1111 1111 11",
        "kari@example.org",
        "kari@example.",
        "DE89 3704 0044 0532 0130 00",
        "+",
        "mailto:help@shop.example",
    ],
)
def test_unfinished_construct_at_the_end_comes_out_like_the_whole(text: str) -> None:
    joined, _, _ = streamed(list(text))

    assert joined == clean(text, policy=POLICY).text


def test_card_in_ten_pieces_is_found() -> None:
    pieces = ["Card 41", "11", " 1", "11", "1 11", "11 ", "1", "1", "1", "1, thanks"]

    assert streamed(pieces)[0] == "Card ‹CARD›, thanks"


@pytest.mark.parametrize("length", [100, 300, 2_000, 2_048, 2_049, 5_000, 50_000])
@pytest.mark.parametrize(
    "form", ["https://evil.example/{}", "[x](https://shop.example/{})", "![x](https://e.com/{})", "<a {}>"]
)
def test_long_construct_comes_out_like_the_whole(length: int, form: str) -> None:
    text = "See " + form.format("x" * length) + " and go."

    joined, _, held = streamed([text[start : start + 7] for start in range(0, len(text), 7)])

    assert joined == clean(text, policy=POLICY).text
    assert output_cases.links_in(joined) == []
    assert held <= HELD_AT_MOST


def test_personal_data_is_found_at_every_place_of_a_long_stretch() -> None:
    for before in range(0, 1_000, 23):
        text = "1/" * (before // 2) + " kari@example.org " + "1/" * 200

        joined, _, _ = streamed([text[start : start + 50] for start in range(0, len(text), 50)])

        assert "‹EMAIL›" in joined, before
        assert "kari" not in joined, before


def test_prose_is_held_back_to_the_end_of_a_word_only() -> None:
    text = "Thank you for your order. It will arrive on Monday, or else write to us (any time)."
    stream = OutputFilter(OutputPolicy())
    written = ""

    for length, character in enumerate(text, start=1):
        written += stream.feed(character)
        last_word = text[:length].rsplit(" ", maxsplit=1)[-1]

        assert length - len(written) <= len(last_word) + 1


@pytest.mark.parametrize(
    "unit", ["You can send it back within 60 days. ", "4111 1111 1111 1111 ", "1 ", "](", "https://a.b/"]
)
def test_streaming_costs_little_more_than_the_whole(unit: str) -> None:
    text = (unit * 10_000)[:10_000]
    pieces = [text[start : start + 4] for start in range(0, len(text), 4)]

    def seconds(run: Callable[[], object]) -> float:
        started = time.process_time()
        run()
        return time.process_time() - started

    whole = min(seconds(lambda: clean(text, policy=POLICY)) for _ in range(2))
    stream = min(seconds(lambda: streamed(pieces)) for _ in range(2))

    assert stream < 3 * whole + len(pieces) * 100e-6  # a piece passes six stages; 12 microseconds on a quiet machine


def test_ten_thousand_pieces_of_prose_take_less_than_a_second() -> None:
    text = ("The tent weighs 2 kg and costs 49.90 EUR, see page 3. " * 1_000)[:40_000]
    pieces = [text[start : start + 4] for start in range(0, len(text), 4)]

    started = time.process_time()
    streamed(pieces)

    assert time.process_time() - started < 1
