"""Personal data is found in the forms people write it in, and look-alikes are left alone."""

import time

import pytest

from llmops.guards import personal_data, views

REGIONS = ("DE", "NO", "GB", "US", "FR")


def found(text: str) -> list[tuple[str, str]]:
    """Type and text of each finding of the patterned types."""
    return [
        (span.type, text[span.start : span.end]) for span in personal_data.find(text, personal_data.PATTERNED, REGIONS)
    ]


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
        ("CARD", "3056 930902 5904"),
        ("CARD", "6011/1111/1111/1117"),
        ("CARD", "6011_1111_1111_1117"),
        ("CARD", "6011.1111.1111.1117"),
        ("CARD", "4222222222222"),
        ("CARD", "42 42 42 42 42 42 42 42"),
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
    ("before", "card", "after"),
    [
        ("Visa ", "4111 1111 1111 1111", " 12/27"),
        ("card ", "4111111111111111", " 123"),
        ("", "4111-1111-1111-1111", "-123"),
        ("Order 12 ", "4111 1111 1111 1111", ""),
        ("2026-11-02 ", "4111 1111 1111 1111", " 2 x 49.90"),
        ("Nr.", "4111111111111111", ""),
        ("x,", "4111111111111111", ""),
        ("7,", "4111111111111111", ",12/27"),
        ("VISA", "4111111111111111", ""),
        ("", "4111111111111111", "EUR"),
        ("12.", "4111.1111.1111.1111", ".123"),
        ("12/", "4111/1111/1111/1111", "/12/27"),
        ("id_", "4111_1111_1111_1111", "_v2"),
        ("It is ", "4111 1111 1111 1111", "."),
        ("1 ", "3782 822463 10005", " 1234"),
        ("1 ", "3782 8224 6310 005", " 1234"),
        ("100 ", "41111111 11111111", " 100"),
        ("100 ", "4111 1111-1111 1111", " 100"),
    ],
)
def test_what_stands_beside_a_card_does_not_hide_it(before: str, card: str, after: str) -> None:
    assert found(f"{before}{card}{after}") == [("CARD", card)]


def test_cards_in_a_row_are_all_found() -> None:
    text = "4111 1111 1111 1111 5555 5555 5555 4444,378282246310005/6011111111111117"

    once = personal_data.redact(text, personal_data.find(text, ["CARD"]))

    assert not any(character.isdigit() for character in once)


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


# Issuer prefix, length and checksum would fit a card in most of these.
@pytest.mark.parametrize(
    "text",
    [
        "From 2026-11-02 09:15:03.123456 to 2026-11-02T10:15:03Z, 2026-11-02 4500123456.",
        "It weighs 0.4111111111111111 kg, then 0.411111111111111 1 and 4.111111111111111 kg.",
        "EAN 4006381333924, 4 006381 333924 and 4006381333924 108 pieces.",
        "Parcel 00340434161094042557 holds 41111111111111111111.",
        "Sizes 40 41 42 43 44 45 46 47 48 49; 4111.11 1111.11 1111.11 1111.11 EUR.",
        "Delivered 30.11.2026 101508, or 30.11.2026 10.15.16.",
        "urn:uuid:41111111-1111-4008-9111-4111111a1111",
    ],
)
def test_what_merely_holds_a_cards_digits_is_left_alone(text: str) -> None:
    assert personal_data.find(text, ["CARD"]) == []


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


def test_two_addresses_written_together_are_both_found() -> None:
    text = "kari@example.org+ola@example.org"

    assert personal_data.redact(text, personal_data.find(text)) == "<EMAIL><EMAIL>"


def test_small_commercial_at_is_an_at() -> None:
    assert found("kari\ufe6bexample.org") == [("EMAIL", "kari\ufe6bexample.org")]


def test_iban_is_one_whatever_its_account_number_looks_like() -> None:
    # The account number is a valid card number; 98 - (411111111111111100131400 mod 97) = 95 are the check digits.
    assert found("To DE95 4111 1111 1111 1111 00.") == [("IBAN", "DE95 4111 1111 1111 1111 00")]


def test_what_looks_like_an_iban_does_not_hide_one() -> None:
    assert found("Order AB12 345 678 DE89 3704 0044 0532 0130 00") == [("IBAN", "DE89 3704 0044 0532 0130 00")]


def test_without_regions_international_numbers_are_found() -> None:
    text = "+47 22 12 34 56 or 01 42 68 53 00"

    assert personal_data.redact(text, personal_data.find(text, phone_regions=())) == "<PHONE> or 01 42 68 53 00"


def test_a_phone_number_is_found_behind_any_amount_of_other_numbers() -> None:
    text = "1 x " * 70_000 + "+47 22 12 34 56"

    assert personal_data.find(text, ["PHONE"], ["NO"]) == [personal_data.Span(280_000, len(text), "PHONE")]


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "1",
        "１",
        "1 ",
        "1-",
        "1/",
        "1.",
        "4111 ",
        "4111 1111 1111 1111 ",
        "a@",
        "a.",
        "a@b.",
        "a@b-",
        "DE00 ",
        "DE89 3704 0044 0532 0130 00 ",
        "A1",
        "+",
        "(1",
        "+1 ",
        "1;ext=",
        "+47 22 12 34 56 ",
    ],
)
def test_time_grows_no_faster_than_the_text(unit: str) -> None:
    def seconds(characters: int) -> float:
        text = "1@" + (unit * characters)[:characters]
        started = time.process_time()
        personal_data.find(text, phone_regions=["DE"])
        return time.process_time() - started

    short, long = (min(seconds(characters) for _ in range(2)) for characters in (20_000, 80_000))

    assert long < 8 * max(short, 0.005)
