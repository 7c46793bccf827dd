"""Labelled sentences: templates filled with names, addresses and everything that could be taken for them."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from llmops.guards.spans import Span
from llmops.tagging import people, places

_SLOT = re.compile(r"\{([a-z])\}")
_PERSONAL = re.compile(
    r"\b(?:I|you|he|she|they|we|him|me|them|my|your|his|our|their|You|He|She|They|We|My|Your)\b(?!['’])"
)
_PEOPLES = """
    German French Italian Spanish Dutch British English Irish Scottish American Canadian Mexican Brazilian Chinese
    Japanese Korean Indian Pakistani Turkish Greek Russian Ukrainian Polish Czech Hungarian Romanian Swedish
    Norwegian Danish Finnish Icelandic Portuguese Swiss Austrian Belgian Australian Egyptian Nigerian Kenyan Arab
    Jewish Muslim Christian Catholic Hindu Buddhist European Asian African Latin Thai Vietnamese Filipino
    Indonesian Croatian Serbian Slovenian
""".split()
_TITLES = "Mr. Mrs. Ms. Dr. Mr Mrs Ms Miss Dr Prof. Professor Sir Herr Frau Monsieur Madame Señor Señora Mme".split()
_FIRMS = ("Inc", "Inc.", "Ltd", "Ltd.", "LLC", "GmbH", "AG", "Group", "Bank", "Corp.", "Solutions", "Systems", "Media")
_BRANDS = """
    Acme Northwind Contoso Globex Initech Umbrella Vandelay Amazon Google Apple Microsoft Samsung PayPal Netflix
    Spotify Visa Mastercard Revolut Stripe Shopify Uber Lyft Airbnb FedEx DHL UPS USPS Walmart Target Costco IKEA
    Nike Adidas Sony Dell Lenovo Intel Adobe Zoom Slack Dropbox Vodafone Verizon Comcast Chase Citibank Barclays
    Santander HSBC Lufthansa Ryanair Delta Emirates Hilton Marriott Tesla Toyota Ford BMW Oracle Salesforce
    Zendesk GitHub Wikipedia
""".split()
_PRODUCTS = (
    """
    the blue jacket;a laptop;wireless headphones;my subscription;the premium plan;two tickets;a gift card;the app
    Wi-Fi;Bluetooth;iPhone 15;Galaxy S24;Kindle;PlayStation 5;Windows 11;Office 365;Photoshop;Prime Video
    the newsletter;the Gold Card;Apple Pay;Google Pay;direct debit;my order;the warranty;an invoice;a refund
    the report;Trail Tent 2;FB-TENT-2;North Ridge Backpack;Summit Sleeping Bag;the coffee machine
    a washing machine;the invoice;overdraft protection;Standard Shipping;Express Delivery;Premium Account
    Customer Portal;a visa;my passport;the contract;ibuprofen;aspirin
""".strip()
    .replace("\n", ";")
    .split(";")
)
_MONTHS = "January February March April May June July August September October November December Jan Feb Sep".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday today yesterday tomorrow".split()


@dataclass(frozen=True)
class Labelled:
    """A text and its names and addresses."""

    text: str
    spans: tuple[Span, ...]


def make(
    count: int, draws: random.Random, *, invented: float, remarks: Sequence[str], negatives: Sequence[str] = ()
) -> Iterator[Labelled]:
    """Sentences with labels: `count` from the templates, and one around each text of `negatives`.

    `remarks` are sentences without names or addresses for the templates to talk about; not empty.
    """
    templates = _templates()
    around = [template for template in templates if "{q}" in template]
    told = [remark for remark in remarks if _PERSONAL.search(remark)]
    for _ in range(count):
        kind = draws.random()
        if kind < 0.2 and told:
            template = _about_somebody(draws.choice(told), draws)
        elif kind < 0.28:
            template = _fragment(draws.choice(remarks), draws)
        else:
            template = draws.choice(templates)
        yield _vary(_fill(template, draws, invented, remarks), draws)
    for text in negatives:
        template = "{q}" if draws.random() < 0.6 else draws.choice(around)
        yield _vary(_fill(template.replace("{q}", "\x00", 1), draws, invented, remarks, text), draws)


def _about_somebody(remark: str, draws: random.Random) -> str:
    """The remark with a name in place of one of its pronouns."""
    chosen = draws.choice(list(_PERSONAL.finditer(remark)))
    is_owner = chosen[0].lower() in {"my", "your", "his", "our", "their"}
    name = "{p}'s" if is_owner else draws.choice(("{p}", "{p}", "{p}", "{p} and {p}"))
    return remark[: chosen.start()] + name + remark[chosen.end() :]


def _fragment(remark: str, draws: random.Random) -> str:
    """A few words of a remark, as people chat; the first letter large or not."""
    words = remark.split()
    first = draws.randrange(len(words))
    piece = " ".join(words[first : first + draws.randrange(1, 6)])
    return (piece.capitalize() if draws.random() < 0.5 else piece).replace("{", "(").replace("}", ")")


@cache
def _templates() -> tuple[str, ...]:
    lines = (files("llmops.tagging") / "sentences.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.replace("\\n", "\n") for line in lines if line and not line.startswith("#"))


def _fill(template: str, draws: random.Random, invented: float, remarks: Sequence[str], text: str = "") -> Labelled:
    made, spans, position = "", [], 0
    for slot in _SLOT.finditer(template):
        made += template[position : slot.start()]
        position = slot.end()
        before, value, kind = _value(slot[1], draws, invented, remarks)
        made += before
        if kind:
            spans.append(Span(len(made), len(made) + len(value), kind))
        made += value
    made += template[position:]
    place = made.find("\x00")
    if place >= 0:
        spans = [
            span if span.end <= place else Span(span.start + len(text) - 1, span.end + len(text) - 1, span.type)
            for span in spans
        ]
        made = made.replace("\x00", text, 1)
    return Labelled(made, tuple(spans))


def _value(slot: str, draws: random.Random, invented: float, remarks: Sequence[str]) -> tuple[str, str, str]:
    """What comes before the value, the value, and its label if it has one."""
    names = people.read_lists()
    if slot == "p":
        title = f"{draws.choice(_TITLES)} " if draws.random() < 0.05 else ""
        return title, people.full(names, draws, invented=invented), "PERSON"
    if slot == "t":
        value = people.draw(names, draws, invented=invented)[1]
        return (
            f"{draws.choice(_TITLES)} ",
            value if draws.random() < 0.7 else people.full(names, draws, invented=invented),
            "PERSON",
        )
    if slot == "a":
        return "", places.draw(names, draws), "ADDRESS"
    return "", _other(slot, draws, remarks), ""


def _other(slot: str, draws: random.Random, remarks: Sequence[str]) -> str:
    makers: dict[str, Callable[[], str]] = {
        "c": lambda: draws.choice(places.read_places().cities),
        "r": lambda: draws.choice(places.read_places().regions),
        "o": lambda: _firm(draws),
        "d": lambda: _date(draws),
        "n": lambda: str(draws.randrange(10 ** draws.choice((1, 1, 2, 3, 4, 6, 8)))),
        "x": lambda: draws.choice(_PRODUCTS),
        "y": lambda: draws.choice(_PEOPLES),
        "q": lambda: draws.choice(remarks),
    }
    return makers[slot]()


def _firm(draws: random.Random) -> str:
    names = people.read_lists()
    last = [names.last[draws.choice(("en_US", "en_GB", "de_DE", "fr_FR"))] for _ in range(3)]
    form = draws.random()
    if form < 0.5:
        return draws.choice(_BRANDS)
    if form < 0.7:
        return f"{draws.choice(_BRANDS)} {draws.choice(_FIRMS)}"
    if form < 0.85:
        return f"{draws.choice(last[0])} {draws.choice(_FIRMS)}"
    if form < 0.95:
        return f"{draws.choice(last[0])}, {draws.choice(last[1])} and {draws.choice(last[2])}"
    return f"{draws.choice(last[0])}-{draws.choice(last[1])}"


def _date(draws: random.Random) -> str:
    day, month, year = draws.randrange(1, 29), draws.randrange(1, 13), draws.randrange(1940, 2027)
    name = draws.choice(_MONTHS)
    return draws.choice(
        (
            f"{year}-{month:02}-{day:02}",
            f"{month}/{day}/{year}",
            f"{day:02}.{month:02}.{year}",
            f"{name} {day}, {year}",
            f"{day} {name} {year}",
            f"{day} {name}",
            name,
            draws.choice(_DAYS),
        )
    )


def _vary(made: Labelled, draws: random.Random) -> Labelled:
    """The sentence as people type it: small letters throughout or in the names, capitals, line breaks as spaces."""
    text = made.text
    kind = draws.random()
    if kind < 0.14:
        text = _same_length(text, text.lower())
    elif kind < 0.17:
        text = _same_length(text, text.upper())
    elif kind < 0.28:
        change = str.lower if kind < 0.25 else str.upper
        for span in made.spans:
            inside = change(text[span.start : span.end])
            text = _same_length(text, text[: span.start] + inside + text[span.end :])
    if draws.random() < 0.1:
        text = text.replace("\n", " ")
    return Labelled(text, made.spans)


def _same_length(text: str, changed: str) -> str:
    """`changed`, unless letters such as ß or İ became two, which would move the labels."""
    return changed if len(changed) == len(text) else text
