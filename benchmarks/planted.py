"""Personal data as generators of others make it (Faker) and as issuers write it, in a customer's words."""

import random
import string
from collections.abc import Callable

from faker import Faker

_PHONES = (("+44 7700 ", 6), ("+1 415 55", 5), ("+49 151 555", 5), ("+47 4", 7), ("+33 6 12 ", 6))
_ALNUM = string.ascii_letters + string.digits


def planted(count: int, seed: int) -> list[tuple[str, str, str]]:
    """`count` different values: type, value, and the words that a customer puts it in."""
    draws = random.Random(seed)  # noqa: S311 - test data
    fakers = [Faker(locale) for locale in ("en_US", "de_DE", "en_GB", "fr_FR", "no_NO")]
    for index, faker in enumerate(fakers):
        faker.seed_instance(seed + index)
    makers = _makers(draws, fakers)
    found: dict[str, tuple[str, str, str]] = {}
    while len(found) < count:
        kind = draws.choice(tuple(makers))
        make, words = makers[kind]
        value = make()
        found.setdefault(value, (kind, value, draws.choice(words).format(value)))
    return list(found.values())


def _makers(draws: random.Random, fakers: list[Faker]) -> dict[str, tuple[Callable[[], str], tuple[str, ...]]]:
    def text(alphabet: str, length: int) -> str:
        return "".join(draws.choice(alphabet) for _ in range(length))

    def hidden(value: str) -> str:
        """Now and then in full-width digits, or with a character in it that nobody sees."""
        if draws.random() < 0.1:
            return "".join(chr(ord(sign) + 0xFEE0) if sign.isdigit() else sign for sign in value)
        return f"{value[:4]}\u200b{value[4:]}" if draws.random() < 0.1 else value

    return {
        "EMAIL": (fakers[0].unique.ascii_email, ("Write to {}.", "mail {} please", "<{}>")),
        "CARD": (lambda: hidden(fakers[0].credit_card_number("visa16")), ("My card {} was charged.", "{} is the card")),
        "IBAN": (lambda: hidden(draws.choice(fakers[1:]).iban()), ("Pay to {}.", "IBAN {}", "refund it to {} thanks")),
        "PHONE": (
            lambda: "{}{}".format(*draws.choice([(form, text(string.digits, more)) for form, more in _PHONES])),
            ("Call {}.", "my number: {}", "{} is my phone"),
        ),
        "SSN": (fakers[0].unique.ssn, ("My SSN is {}.", "social security number {}")),
        "IP": (fakers[0].unique.ipv4_public, ("It came from {}.", "my ip is {}")),
        "PASSWORD": (lambda: text(_ALNUM, 9) + "7", ("my password is {}", "Password: {}", "the password was {}")),
        "ACCOUNT": (lambda: text("123456789", 10), ("my account number is {}", "acct no. {}", "account: {}")),
        "SECRET": (lambda: "ghp_" + text(_ALNUM, 36), ("I used the token {}.", "api key {}", "{}")),
        "DATE_OF_BIRTH": (
            lambda: f"{draws.randrange(1930, 2008)}-{draws.randrange(1, 13):02}-{draws.randrange(1, 29):02}",
            ("I was born on {}.", "date of birth: {}", "DOB {}"),
        ),
    }
