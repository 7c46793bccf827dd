"""Many texts at once hold what each of them holds alone."""

import json
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.planted import planted
from llmops.guards import batches, personal_data, views
from llmops.guards.spans import Span
from llmops.tagging import sentences

# A value of every type, in forms that several patterns find; most are the published examples of their issuers.
CASES = (
    "It is 536-90-4399, my social security number is 536904399 and my SIN 123 456 782",
    "codice fiscale RSSMRA85T10A562S, NINO AB 12 34 56 C, DNI: 12345678Z, CPF 111.444.777-35",
    "NIR 184127645108946 PESEL 44051401359, BSN 111222333, NHS number 943 476 5919",
    "personnummer 811218-9876 fødselsnummer 151086 95088 henkilötunnus 131052-308T CURP BOXW310820HNERXN09",
    "Steuer-ID 36 574 261 809, sécurité sociale éàü 12345678, sozialversicherungsnummerüber 12345678",
    "from 203.0.113.77 or 2001:db8:85a3::8a2e:370:7334, device 00:1B:44:11:3A:B7",
    "to 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2 or 0x52908400098527886E0F7030069857D2E4169EE7",
    "my password is hunter2 and the wifi password is 'Sommer2024'; mot de passe : Azerty123",
    "contraseña: Verano99 pwd=abc123 Hasło: Lato2024x pin is 4921 security code 123",
    "acct no. 1234567, my account number is 00012345678; Kontonummer: 12 3456 7890 account #98765",
    "date of birth: 12/03/1985, I was born on March 3rd, 1985, née le 3 mars 1985, né le 3.4.1985, DOB 1962-12-12",
    "passport number C01X0006H, driver's license D1234567 führerschein B072RRE2I55",
    "my username is jane_doe42, user id: olà_7, Benutzername: kari99",
    "key AKIAIOSFODNN7EXAMPLE token ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "use postgresql://shop:s3cret@db.example/orders, Authorization: Bearer mF_9.B5f-4.1JqM0aX7-z2",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    "kari.nordmann+shop@mail.example.org o'neil_42@example.co.uk åse@blåbær.example",
    "4111 1111 1111 1111 5555-5555-5555-4444,378282246310005/6011111111111117 credit card 1234 5678 9012 3456",
    "DE89 3704 0044 0532 0130 00, gb29nwbk60161331926819 IBAN: DE12 3456 7890 1234 5678 90",
    "call me on 5551234, tel. 555-123-4567 x89, 5551234 x89 office, +33 6 12 34 56 78, 030 / 901820, 0301234567",
    "5551234 x89 office",
    "(020) 7946 0958, 07700 900 123, (0301234567) +(4712345678) +4712345678 mobil: 41234567 Order 7654321",
)
# What `re` and RE2 see in different ways, and what a normalised view changes.
_ODD = [
    "\u200b",
    "\xad",
    "\u0301",
    "İ",
    "ı",
    "ſ",
    "\u212a",
    "é",
    "😀",
    "𝟜",
    "٣",
    "４",
    "’",
    "“",
    "ﬁ",
    "\x00",
    "\x1d",
    "\u2028",
]
_PLAIN = ["(", "+", "0", "7", "x", ".", "-", ":", "#", "@", "/", "_", "\n", " ", ""]
_SPACES = ["\xa0", "\t", "\u2009", "  ", "\n", "\x0b", "\x1d", "\x85", "", "-"]


def alone(texts: list[str], types: tuple[str, ...]) -> list[list[tuple[Span, float]]]:
    return [[(span, span.score) for span in personal_data.find(text, types)] for text in texts]


def together(texts: list[str], types: tuple[str, ...]) -> list[list[tuple[Span, float]]]:
    found = batches.find_many(pa.array(texts, pa.string()), types)
    return [[(span, span.score) for span in spans] for spans in found]


def altered(draws: random.Random) -> Iterator[str]:
    """Cases cut, joined, and disguised; most hold something, many of them half a value."""
    while True:
        text = draws.choice(CASES)
        for _ in range(draws.randrange(5)):
            place = draws.randrange(len(text) + 1)
            text = draws.choice(
                (
                    text[:place],
                    text[place:],
                    text[:place] + draws.choice(_ODD) + text[place:],
                    text[:place] + draws.choice(_PLAIN) + text[place + 1 :],
                    text + draws.choice(_SPACES) + draws.choice(CASES),
                    text.replace(" ", draws.choice(_SPACES)),
                    text.replace("i", draws.choice("ıİ")),
                    text.replace("s", "ſ").replace("k", "\u212a"),
                    text.upper(),
                )
            )
        yield text[-300:]


def test_altered_values_are_found_as_in_each_text_alone() -> None:
    texts = [text for text, _ in zip(altered(random.Random(3)), range(2_000), strict=False)]  # noqa: S311 - texts
    expected = alone(texts, personal_data.PATTERNED)

    assert {span.type for spans in expected for span, _ in spans} == set(personal_data.PATTERNED)
    assert together(texts, personal_data.PATTERNED) == expected


def test_support_texts_hold_what_each_holds_alone() -> None:
    draws = random.Random(4)  # noqa: S311 - texts
    made = [item.text for item in sentences.make(500, draws, invented=0.3, remarks=("Where is my order?",))]
    files = sorted(
        path for path in Path("examples/shop").rglob("*") if path.suffix in {".csv", ".jsonl", ".md", ".txt"}
    )
    lines = [line for path in files for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    values = [words for _, _, words in planted(500, seed=9)]
    values += [item["value"] for item in json.loads(Path("tests/examples_planted.json").read_text())["personal_data"]]
    texts = [*made, *lines, *values, *(f"{one} {other}" for one, other in zip(made, values, strict=False))]

    assert together(texts, personal_data.PATTERNED) == alone(texts, personal_data.PATTERNED)


def test_names_and_addresses_are_found_too() -> None:
    texts = ["Anna Smith wrote to anna@example.org.", "My order is late.", "I live at 12 Elm Street, Boston."]

    assert together(texts, personal_data.TYPES) == alone(texts, personal_data.TYPES)


def test_a_value_does_not_reach_into_the_next_text() -> None:
    halves = ["my password is", "hunter2", "4111 1111", "1111 1111", "kari@", "example.org", "tel.", "5551234"]

    assert together(halves, personal_data.PATTERNED) == [[]] * len(halves)


def test_nulls_and_empty_texts_hold_nothing() -> None:
    texts = pa.array([None, "", "kari@example.org", None], pa.string())

    assert batches.find_many(texts) == [[], [], [Span(0, 16, "EMAIL")], []]
    assert batches.find_many(texts.slice(0, 0)) == []


@pytest.mark.parametrize("kind", ["string", "large_string"])
def test_a_slice_of_an_array_is_scanned_alone(kind: str) -> None:
    texts = pa.array(
        ["kari@example.org", "nothing", "４１１１１１１１１１１１１１１１", "10.0.0.7"], getattr(pa, kind)()
    )

    found = batches.find_many(texts.slice(1, 2), ["CARD", "EMAIL"])

    assert found == [[], [Span(0, 16, "CARD")]]


def test_without_types_nothing_is_looked_for() -> None:
    assert batches.find_many(pa.array(["kari@example.org"]), ()) == [[]]


def test_only_characters_of_the_ranges_change_in_the_normalised_view() -> None:
    inside = [range(first, last + 1) for first, last in views.changing_ranges()]
    stable = set(map(chr, range(0x110000))).difference(*(map(chr, codes) for codes in inside))

    changed = [
        character
        for character in stable
        if unicodedata.normalize("NFKC", character) != character
        or unicodedata.category(character) in {"Cc", "Cf", "Mn", "Me"} - ({"Cc"} if character == "\n" else set())
        or (not character.isascii() and (character.isspace() or character.isdecimal()))
    ]

    assert changed == []
    assert {"a", "é", "ß", "я", "漢", "한", "😀"} <= stable


def test_a_long_number_of_an_unknown_county_is_no_error() -> None:
    # Checksum (GB 11643) and date fit; the county 110199 of the province 11 is in no list of counties.
    text = "Order 110199198503120012 is late"

    assert personal_data.find(text, ["NATIONAL_ID"]) == []
