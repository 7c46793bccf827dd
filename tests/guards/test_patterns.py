"""Types with a form, a checksum or a word before them; the numbers are published examples of their issuers."""

import pytest

from llmops.guards import personal_data


def found(text: str) -> list[tuple[str, str]]:
    """Type and text of each finding of the patterned types."""
    return [(span.type, text[span.start : span.end]) for span in personal_data.find(text, personal_data.PATTERNED)]


@pytest.mark.parametrize(
    ("kind", "before", "value"),
    [
        ("SSN", "It is ", "536-90-4399"),
        ("SSN", "my social security number is ", "536904399"),
        ("NATIONAL_ID", "codice fiscale ", "RSSMRA85T10A562S"),
        ("NATIONAL_ID", "NINO ", "AB 12 34 56 C"),
        ("NATIONAL_ID", "DNI: ", "12345678Z"),
        ("NATIONAL_ID", "CPF ", "111.444.777-35"),
        ("NATIONAL_ID", "NIR ", "184127645108946"),
        ("NATIONAL_ID", "PESEL ", "44051401359"),
        ("NATIONAL_ID", "BSN ", "111222333"),
        ("NATIONAL_ID", "NHS number ", "943 476 5919"),
        ("NATIONAL_ID", "personnummer ", "811218-9876"),
        ("NATIONAL_ID", "fødselsnummer ", "151086 95088"),
        ("NATIONAL_ID", "henkilötunnus ", "131052-308T"),
        ("NATIONAL_ID", "SIN ", "123 456 782"),
        ("NATIONAL_ID", "AHV-Nr. ist das, also ", "756.9217.0769.85"),
        ("NATIONAL_ID", "Steuer-ID ", "36 574 261 809"),
        ("NATIONAL_ID", "CURP ", "BOXW310820HNERXN09"),
        ("IP", "from ", "203.0.113.77"),
        ("IP", "from ", "2001:db8:85a3::8a2e:370:7334"),
        ("MAC", "device ", "00:1B:44:11:3A:B7"),
        ("CRYPTO", "to ", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
        ("PASSWORD", "my password is ", "hunter2"),
        ("PASSWORD", "Password: ", "correct-horse!"),
        ("PASSWORD", "the wifi password is '", "Sommer2024"),
        ("PASSWORD", "mein Passwort ist ", "Geheim99"),
        ("PASSWORD", "mot de passe : ", "Azerty123"),
        ("PIN", "my pin is ", "4921"),
        ("ACCOUNT", "acct no. ", "1234567"),
        ("ACCOUNT", "my account number is ", "00012345678"),
        ("DATE_OF_BIRTH", "date of birth: ", "12/03/1985"),
        ("DATE_OF_BIRTH", "I was born on ", "March 3rd, 1985"),
        ("DATE_OF_BIRTH", "geboren am ", "3. März 1985"),
        ("DATE_OF_BIRTH", "née le ", "3 mars 1985"),
        ("PASSPORT", "passport number ", "C01X0006H"),
        ("DRIVER_LICENSE", "driver's license ", "D1234567"),
        ("USERNAME", "my username is ", "jane_doe42"),
        ("SECRET", "key ", "AKIAIOSFODNN7EXAMPLE"),
        ("SECRET", "token ", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
        ("SECRET", "use ", "postgresql://shop:s3cret@db.example/orders"),
        ("SECRET", "Authorization: Bearer ", "mF_9.B5f-4.1JqM0aX7-z2"),
        (
            "SECRET",
            "jwt ",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        ),
        ("PHONE", "call me on ", "5551234"),
        ("PHONE", "tel. ", "555-123-4567 x89"),
        ("PHONE", "fax ", "(37) 788-063"),
        ("PHONE", "", "+33 6 12 34 56 78"),
        ("PHONE", "", "06 12 34 56 78"),
        ("PHONE", "", "07700 900 123"),
        ("PHONE", "", "0151 12345678"),
        ("CARD", "credit card ", "1234 5678 9012 3456"),
        ("IBAN", "IBAN: ", "DE12 3456 7890 1234 5678 90"),
    ],
)
def test_value_is_found_by_its_form_or_the_words_before_it(kind: str, before: str, value: str) -> None:
    text = f"Hello, {before}{value}, thanks."

    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "My password is not working and the password reset link is broken.",
        "The password was changed yesterday; my password is wrong.",
        'Click on the "Forgot Password" option.',
        "Order 12345678901, invoice 111222333, tracking number 943 476 5919.",
        "Please update to version 10.4.2.1 of the app.",
        "Ticket 536-90 and parts 000-12-3456 and 666-12-3456.",
        "It starts at 10:15:03 and ends at 11:00:00.",
        "std::vector and a::b are no addresses.",
        "The account was closed in 2024 after 3 months.",
        "My pin is 4 cm long.",
        "The meeting is on 12/03/2025.",
        "I paid 1 249 000 for 2 500 000 items, 12.345.678 in all.",
        "The restaurant is at 17151 2450 Crown St",
        "The token is invalid and the key is in the door.",
        "The secret is internationalization-of-everything",
        "Der Schlüssel liegt unter der Matte; api key required.",
        "Our user name policy is strict.",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_private_key_is_found_whole() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc=\n-----END RSA PRIVATE KEY-----"

    assert found(f"Here:\n{key}\nbye") == [("SECRET", key)]


def test_address_with_a_login_is_one_secret_and_no_mail_address() -> None:
    assert found("see https://anna:pw@files.example.org/x now") == [("SECRET", "https://anna:pw@files.example.org/x")]


@pytest.mark.parametrize("kind", personal_data.TYPES)
def test_nothing_is_found_in_a_placeholder(kind: str) -> None:
    sentences = ("My name is {}.", "my password is {}", "account number: {}", "I live at {}, thanks", "born on {}")

    for sentence in sentences:
        assert personal_data.find(sentence.format(f"<{kind}>")) == []


def test_a_checksum_is_surer_than_a_word() -> None:
    spans = personal_data.find("IBAN DE89 3704 0044 0532 0130 00, password is hunter2")

    assert [span.score for span in spans if span.type == "IBAN"] == [1.0]
    assert all(span.score < 1 for span in spans if span.type == "PASSWORD")
