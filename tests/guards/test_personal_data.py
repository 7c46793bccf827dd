"""Personal data is found in the forms people write it in, and look-alikes are left alone."""

import pytest

from llmops.guards import personal_data, views

REGIONS = ("DE", "NO", "GB", "US", "FR")


def found(text: str) -> list[tuple[str, str]]:
    """Type and text of each finding."""
    return [(span.type, text[span.start : span.end]) for span in personal_data.find(text, phone_regions=REGIONS)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("EMAIL", "kari.nordmann+shop@mail.example.org"),
        ("EMAIL", "o'neil_42@example.co.uk"),
        ("CARD", "4111 1111 1111 1111"),
        ("CARD", "5555-5555-5555-4444"),
        ("CARD", "378282246310005"),
        ("CARD", "4111\u200b1111\u200b1111\u200b1111"),
        ("CARD", "４１１１１１１１１１１１１１１１"),
        ("IBAN", "DE89 3704 0044 0532 0130 00"),
        ("IBAN", "NO9386011117947"),
        ("IBAN", "gb29nwbk60161331926819"),
        ("PHONE", "+47 22 12 34 56"),
        ("PHONE", "030 / 901820"),
        ("PHONE", "(020) 7946 0958"),
        ("PHONE", "+1 (415) 555-2671"),
        ("PHONE", "01 42 68 53 00"),
    ],
)
def test_value_is_found_whole_within_a_sentence(kind: str, value: str) -> None:
    text = f"Hei Åse, please use {value}, thank you."

    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "Order 2026110241137789 left on 2026-10-27 at 09:15:03.",
        "It costs 1.249,00 EUR, or 1,249.00 with the voucher 000123.",
        "Item FB-TENT-2 weighs 2 340 g and measures 130 x 190 cm.",
        "4111 1111 1111 1112 fails the checksum.",
        "DE89 3704 0044 0532 0130 01 fails the checksum.",
        "Write to me @ the shop.",
    ],
)
def test_look_alike_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_word_after_an_iban_is_not_swallowed() -> None:
    assert found("Pay to NO93 8601 1117 947 by Friday") == [("IBAN", "NO93 8601 1117 947")]


def test_redaction_keeps_the_rest_of_the_text() -> None:
    text = "Mail kari@example.org or call +47 22 12 34 56!"

    spans = personal_data.find(text, phone_regions=REGIONS)

    assert personal_data.redact(text, spans) == "Mail <EMAIL> or call <PHONE>!"


def test_redacted_text_holds_nothing_more_to_find() -> None:
    text = "kari@example.org 4111 1111 1111 1111 DE89370400440532013000 +4722123456"

    once = personal_data.redact(text, personal_data.find(text, phone_regions=REGIONS))

    assert found(once) == []


def test_view_maps_offsets_back_to_the_original() -> None:
    text = "a\u200b\ufb01\u0301 \uff11"  # a, zero-width space, fi ligature, combining accent, space, full-width 1

    view = views.normalised(text)

    assert view.text == "afi 1"
    assert view.original_span(1, 3) == (2, 3)
    assert view.original_span(4, 5) == (5, 6)
