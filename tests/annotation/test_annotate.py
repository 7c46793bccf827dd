"""Which rows become pairs, which become their context."""

from datetime import UTC, datetime
from typing import Any

from llmops.annotation.config import AnnotateConfig
from llmops.annotation.prompts import shorten
from llmops.annotation.stage import group_of, make_examples

CONFIG = AnnotateConfig(context_threshold=0.2, context_characters=200)


def row(
    row_id: str, question: str | None = None, answer: str | None = None, text: str | None = None, **others: Any
) -> Any:
    """A clean row."""
    return {
        "row_id": row_id,
        "source": "s",
        "event_time": datetime(2026, 11, 2, tzinfo=UTC),
        "subject_id": None,
        "keys": [],
        "question": question,
        "answer": answer,
        "text": text,
        **others,
    }


def examples(*rows: Any, config: AnnotateConfig = CONFIG) -> dict[str, Any]:
    """Examples by row id."""
    return {example["row_id"]: example for example in make_examples(list(rows), config)}


def test_shared_key_joins_whatever_the_words() -> None:
    found = examples(
        row("q", "Does it fold?", "Yes.", keys=["CHAIR"]),
        row("k", text="Beech frame, linen seat.", keys=["CHAIR"]),
        row("other", text="Does it fold? Yes it does fold.", keys=["TABLE"]),
    )

    assert found["q"]["context"] == "Beech frame, linen seat."
    assert found["q"]["parents"] == ["k", "q"]


def test_similar_words_join_and_unlike_ones_stay_as_context_rows() -> None:
    found = examples(
        row("q", "How long is the warranty on tents?", "Five years."),
        row("k", text="The warranty on tents is five years from delivery."),
        row("unmatched", text="Our Bergen shop opens at ten."),
    )

    assert found["q"]["context"].startswith("The warranty on tents")
    assert set(found) == {"q", "unmatched"}
    assert (found["unmatched"]["is_pair"], found["unmatched"]["context"]) == (False, "Our Bergen shop opens at ten.")


def test_what_is_about_a_person_stays_with_that_person() -> None:
    order = row("order", text="Order O-7 of one tent is shipped.", keys=["C-1"], subject_id="C-1")

    hers = examples(row("q", "Where is my tent?", "On its way.", keys=["C-1"], subject_id="C-1"), order)
    his = examples(row("q", "Is order O-7 of one tent shipped?", "Yes.", keys=["C-1"], subject_id="C-2"), order)

    assert hers["q"]["context"] == "Order O-7 of one tent is shipped."
    assert his["q"]["context"] == ""


def test_contexts_can_be_left_out() -> None:
    rows = (row("q", "Tents?", "Yes.", keys=["K"]), row("k", text="Tents.", keys=["K"]))

    assert examples(*rows, config=AnnotateConfig(context_characters=0))["q"]["context"] == ""


def test_messages_end_with_the_answer_and_match_the_prompt() -> None:
    found = examples(row("q", "Ship to Oslo?", "Yes."))["q"]

    assert [message["role"] for message in found["messages"]] == ["system", "user", "assistant"]
    assert found["messages"][1]["content"] == "Ship to Oslo?"
    assert found["messages"][2]["content"] == "Yes."


def test_an_answer_teaches_no_sections() -> None:
    found = examples(row("q", "Ship to Oslo?", "[Answer] Yes. ####"))["q"]

    assert found["messages"][2]["content"] == "(Answer] Yes. #\u00b7###"


def test_context_is_cut_at_a_sentence_then_at_a_word() -> None:
    assert shorten("One two. Three four. Five.", 21) == "One two. Three four."
    assert shorten("One two three", 9) == "One two"
    assert shorten("short", 9) == "short"


def test_group_ignores_case_punctuation_and_space() -> None:
    assert group_of("Ship to Oslo?") == group_of("  ship to OSLO ") != group_of("Ship to Bergen?")
