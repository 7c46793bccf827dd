"""Kinds of statement, told by form."""

import pytest

from llmops.evaluation.facts import KINDS, kinds_in


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        ("Yes, within thirty days.", {"yes"}),
        ("Nein, leider nicht.", {"no"}),
        ("Delivery costs EUR 3.90 and takes 2 days.", {"number", "money"}),
        ("Write to help@shop.example or see https://shop.example/faq.", {"contact"}),
        ("Write to ‹EMAIL›.", {"contact"}),
        ("Which order is it?", {"question"}),
        ("Do this:\n1. Open the box.\n2. Close it.", {"number", "list"}),
        ("I'm sorry, but I can't help with that.", {"refusal"}),
        ("Note the euromillions of noise.", set()),
        ("", set()),
    ],
)
def test_kinds_are_told_by_form(answer: str, kinds: set[str]) -> None:
    assert {kind for kind, holds in zip(KINDS, kinds_in(answer), strict=True) if holds} == kinds
