"""Postal addresses to learn from: as written in some twenty-five countries, whole or in part."""

import importlib
import random
import string
from functools import cache
from typing import NamedTuple

from llmops.tagging.people import NameLists

_CITY_LOCALES = (
    *(
        "de_DE",
        "de_AT",
        "de_CH",
        "nl_NL",
        "nl_BE",
        "es_ES",
        "es_CO",
        "es_MX",
        "it_IT",
        "pt_PT",
        "pt_BR",
        "pl_PL",
        "cs_CZ",
    ),
    *("sk_SK", "sl_SI", "hr_HR", "hu_HU", "ro_RO", "fi_FI", "sv_SE", "da_DK", "no_NO", "en_IN", "fr_CH", "id_ID"),
    *("vi_VN", "en_NZ", "en_PH", "tr_TR", "az_AZ", "hy_AM", "el_GR", "ru_RU", "uk_UA", "en_AU", "en_CA", "en_IE"),
)
_ENGLISH_CITIES = """London;New York;Los Angeles;Chicago;Houston;Phoenix;Boston;Seattle;Denver;Austin;Dallas;Miami
Atlanta;Portland;San Francisco;San Diego;San Jose;Philadelphia;Detroit;Memphis;Nashville;Baltimore;Las Vegas;Charlotte
Springfield;Richmond;Manchester;Birmingham;Leeds;Glasgow;Liverpool;Bristol;Sheffield;Edinburgh;Leicester;Cardiff
Belfast;Nottingham;Newcastle;Brighton;Plymouth;Reading;Oxford;Cambridge;York;Bath;Dublin;Cork;Galway;Limerick;Sydney
Melbourne;Brisbane;Perth;Adelaide;Canberra;Auckland;Wellington;Toronto;Montreal;Vancouver;Ottawa;Calgary;Edmonton
Paris;Lyon;Marseille;Toulouse;Nice;Nantes;Bordeaux;Lille;Strasbourg;Rennes;Madrid;Barcelona;Valencia;Sevilla;Rome;Milan
Oslo;Bergen;Trondheim;Stockholm;Göteborg;Malmö;Copenhagen;Aarhus;Helsinki;Espoo;Berlin;Hamburg;München;Köln
Vienna;Zürich;Geneva;Amsterdam;Rotterdam;Utrecht;Brussels;Antwerp;Ghent;Lisbon;Porto;Warsaw;Kraków;Prague;Brno
Bucharest;Athens;Istanbul;Ankara;Moscow;Kyiv;Tokyo;Osaka;Beijing;Shanghai;Hong Kong;Singapore;Mumbai;Delhi;Bangalore
Chennai;Kolkata;Karachi;Lahore;Dhaka;Jakarta;Manila;Bangkok;Hanoi;Cairo;Lagos;Nairobi;Johannesburg;Cape Town;Durban
Mexico City;Bogotá;Lima;Santiago;Buenos Aires;São Paulo;Rio de Janeiro;Caracas;Quito;Havana;Dubai;Riyadh;Tel Aviv"""
_STATES = """AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH
OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC ON QC BC AB NSW VIC QLD WA SA""".split()
_TREES = """Main Oak Maple Cedar Pine Elm Washington Lake Hill Park Walnut Church Spring River Mill High Station
Victoria King Queen Bridge Green Sunset Lincoln Jackson Franklin Highland Forest Meadow Chestnut Jefferson
Madison Center Market
London Broad Prospect Grove Garden Ridge Valley Mountain Ocean Bay Harbour Castle Windmill Orchard Rose Willow Birch
First Second Third Fourth Fifth Sixth Seventh Eighth Ninth Tenth 1st 2nd 3rd 4th 5th 42nd 12th""".split()
_ENGLISH = """Street St St. Avenue Ave Ave. Road Rd Rd. Lane Ln Drive Dr Dr. Boulevard Blvd Court Ct Place Pl Square Way
Terrace Highway Parkway Circle Crescent Close Grove Gardens Row Walk Trail Mews""".split()
_GERMAN = "straße strasse str. weg allee platz gasse ring".split()
_DUTCH = "straat laan weg plein gracht kade".split()
_NORDIC = "gata gatan vägen vej vejen gade veien vei gate gaten stien".split()
_FINNISH = "katu tie kuja polku".split()
_FRENCH = (
    "rue",
    "Rue",
    "avenue",
    "Avenue",
    "boulevard",
    "Boulevard",
    "place",
    "chemin",
    "impasse",
    "allée",
    "quai",
    "Rue de la",
    "rue du",
    "rue de",
    "Rue des",
)
_SPANISH = ("Calle", "C/", "Avenida", "Avda.", "Av.", "Plaza", "Paseo", "Carrera", "calle", "Camino", "Ronda")
_ITALIAN = ("Via", "via", "Viale", "Piazza", "Corso", "Vicolo", "Largo")
_PORTUGUESE = ("Rua", "R.", "Avenida", "Av.", "Travessa", "Largo", "Praça", "Rua da", "Rua do")
_SLAVIC = ("ul.", "ulica", "ulice", "al.", "pl.", "os.", "ul")
_HUNGARIAN = ("utca", "u.", "út", "tér", "körút")
_UNITS = ("Apt", "Apt.", "Suite", "Unit", "Flat", "#", "Apartment", "Room", "Floor", "Bldg", "Lot", "Ste")


class PlaceLists(NamedTuple):
    """Cities, and countries with regions."""

    cities: tuple[str, ...]
    regions: tuple[str, ...]


@cache
def read_places() -> PlaceLists:
    """The lists of the installed Faker (MIT), and large cities."""
    cities = {city.strip() for line in _ENGLISH_CITIES.split("\n") for city in line.split(";")}
    regions: set[str] = set(_STATES)
    for locale in (*_CITY_LOCALES, "en", "en_US", "en_GB"):
        try:
            provider = importlib.import_module(f"faker.providers.address.{locale}").Provider
        except ModuleNotFoundError:
            continue
        cities.update(name for name in getattr(provider, "cities", ()) if isinstance(name, str))
        for field in ("countries", "states", "counties", "provinces", "regions"):
            regions.update(name for name in getattr(provider, field, ()) if isinstance(name, str))
    return PlaceLists(tuple(sorted(cities)), tuple(sorted(regions)))


def draw(people: NameLists, draws: random.Random) -> str:
    """An address in one of the forms that people write: street and number at least, or a box at a post office."""
    places = read_places()
    if draws.random() < 0.04:
        number = draws.randrange(1, 9999)
        box = draws.choice(
            (
                f"P.O. Box {number}",
                f"PO Box {number}",
                f"Postfach {number}",
                f"PSC {number}, Box {draws.randrange(9999)}",
            )
        )
        return box + (_town_american(places, draws) if draws.random() < 0.5 else "")
    make = draws.choices((_american, _british, _after_street, _romance, _indian, _mixed), (30, 16, 28, 16, 5, 9))[0]
    return make(places, people, draws)


def _name(people: NameLists, draws: random.Random) -> str:
    """What a street is called after: a person, a tree, a town."""
    if draws.random() < 0.5:
        return draws.choice(_TREES)
    locale = draws.choice(tuple(people.last))
    return draws.choice(people.last[locale] if draws.random() < 0.7 else people.first[locale])


def _number(draws: random.Random) -> str:
    number = str(draws.randrange(1, 10 ** draws.choice((1, 2, 3, 3, 4, 5)) + 1))
    return number + (draws.choice("ABCabcd") if draws.random() < 0.1 else "")


def _unit(draws: random.Random) -> str:
    letter = draws.choice(string.ascii_uppercase)
    number = draws.choice(
        (str(draws.randrange(1, 999)), f"{draws.randrange(1, 40)}{letter}", letter, f"{draws.randrange(999):03}")
    )
    unit = draws.choice(_UNITS)
    return f"{unit}{'' if unit == '#' else ' '}{number}"


def _gap(draws: random.Random) -> str:
    return draws.choices((", ", "\n", " ", ",\n", "\n "), (60, 14, 14, 6, 6))[0]


def _country(places: PlaceLists, draws: random.Random, gap: str) -> str:
    return gap + draws.choice(places.regions) if draws.random() < 0.25 else ""


def _town_american(places: PlaceLists, draws: random.Random) -> str:
    gap = _gap(draws)
    state = draws.choice(_STATES if draws.random() < 0.75 else places.regions)
    zip_code = f"{draws.randrange(501, 99951):05}" + (f"-{draws.randrange(10000):04}" if draws.random() < 0.12 else "")
    form = draws.random()
    town = f"{gap}{draws.choice(places.cities)}"
    if form < 0.6:
        return f"{town}, {state} {zip_code}" + _country(places, draws, gap)
    if form < 0.8:
        return f"{town}, {state}"
    return town if form < 0.9 else f"{town} {zip_code}"


def _american(places: PlaceLists, people: NameLists, draws: random.Random) -> str:
    side = draws.choice(("North ", "N ", "S. ", "West ", "E. ")) if draws.random() < 0.1 else ""
    words = _name(people, draws) + (f" {_name(people, draws)}" if draws.random() < 0.15 else "")
    street = f"{_number(draws)} {side}{words} {draws.choice(_ENGLISH)}"
    if draws.random() < 0.3:
        street += _gap(draws) + _unit(draws)
    return street if draws.random() < 0.3 else street + _town_american(places, draws)


def _british(places: PlaceLists, people: NameLists, draws: random.Random) -> str:
    one, two, three, four = (draws.choice(string.ascii_uppercase) for _ in range(4))
    code = f"{one}{two}{draws.randrange(1, 30)} {draws.randrange(10)}{three}{four}"
    flat = f"Flat {draws.randrange(1, 60)}{_gap(draws)}" if draws.random() < 0.25 else ""
    gap = _gap(draws)
    street = f"{flat}{_number(draws)} {_name(people, draws)} {draws.choice(_ENGLISH)}"
    if draws.random() < 0.25:
        return street
    county = f"{gap}{draws.choice(places.regions)}" if draws.random() < 0.15 else ""
    end = draws.choice((" ", gap)) + code if draws.random() < 0.8 else ""
    return f"{street}{gap}{draws.choice(places.cities)}{county}{end}"


def _after_street(places: PlaceLists, people: NameLists, draws: random.Random) -> str:
    """Street, number, code, town: German, Dutch, Nordic, Slavic, Hungarian."""
    street = _continental(_name(people, draws), draws)
    number = _number(draws) + (f"/{draws.randrange(1, 40)}" if draws.random() < 0.1 else "")
    if street.endswith(_HUNGARIAN) and draws.random() < 0.5:
        number += "."
    if draws.random() < 0.28:
        return f"{street} {number}"
    gap = _gap(draws)
    one, two = (draws.choice(string.ascii_uppercase) for _ in range(2))
    code = draws.choice(
        (
            f"{draws.randrange(1000, 99999)}",
            f"{draws.randrange(100, 999)} {draws.randrange(10, 99)}",
            f"{draws.randrange(1000, 9999)} {one}{two}",
            f"{draws.randrange(10, 99)}-{draws.randrange(100, 999)}",
        )
    )
    return f"{street} {number}{gap}{code} {draws.choice(places.cities)}" + _country(places, draws, gap)


def _continental(name: str, draws: random.Random) -> str:
    """A street called after `name`: `Ringstraße`, `Ringer Weg`, `Ringgata`, `ul. Ring`, `Ring utca`."""
    german, nordic = draws.choice(_GERMAN), draws.choice(_NORDIC)
    kinds = (
        (f"{name}{german}", f"{name}-{german.capitalize()}", f"{name}er {german.capitalize()}"),
        (f"{name}{draws.choice(_DUTCH)}",),
        (f"{name}{nordic}", f"{name}s {nordic}"),
        (f"{name}{draws.choice(_FINNISH)}",),
        (f"{draws.choice(_SLAVIC)} {name}", f"{draws.choice(_SLAVIC)} {name}", f"ul. {draws.choice(_TREES)} {name}"),
        (f"{name} {draws.choice(_HUNGARIAN)}",),
    )
    return draws.choice(draws.choice(kinds))


def _romance(places: PlaceLists, people: NameLists, draws: random.Random) -> str:
    name = _name(people, draws) + (f" {_name(people, draws)}" if draws.random() < 0.25 else "")
    if draws.random() < 0.45:
        sign = draws.choice(("", ",", " bis", " ter")) if draws.random() < 0.3 else ""
        street = f"{_number(draws)}{sign} {draws.choice(_FRENCH)} {name}"
    else:
        before, between = draws.choice((*_SPANISH, *_ITALIAN, *_PORTUGUESE)), draws.choice((" ", ", ", " n. ", " nº "))
        street = f"{before} {name}{between}{_number(draws)}"
        if draws.random() < 0.15:
            street += f", {draws.randrange(1, 9)}º {draws.choice('ABCD')}"
    if draws.random() < 0.3:
        return street
    gap = _gap(draws)
    code = f"{draws.randrange(1000, 99999):05}"
    return f"{street}{gap}{code} {draws.choice(places.cities)}" + _country(places, draws, gap)


def _indian(places: PlaceLists, people: NameLists, draws: random.Random) -> str:
    number, other = draws.randrange(1, 900), draws.randrange(1, 99)
    house = draws.choice((f"Flat {number}", f"House No. {number}", f"Plot {other}", f"{other}/{number}"))
    kind = draws.choice(("Road", "Marg", "Nagar", "Street", "Colony", "Chowk", "Layout"))
    code = f" {draws.randrange(110000, 799999)}" if draws.random() < 0.7 else ""
    return f"{house}, {_name(people, draws)} {kind}, {draws.choice(places.cities)}{code}"


def _mixed(places: PlaceLists, people: NameLists, draws: random.Random) -> str:
    """As forms and generators of test data have it: parts of one country's address in another's order."""
    inner = draws.choice((_american, _after_street, _romance))(places, people, draws).split("\n")[0].split(",")[0]
    gap = _gap(draws)
    parts = [f"{_number(draws)} {inner}" if draws.random() < 0.5 else inner]
    if draws.random() < 0.6:
        parts.append(_unit(draws))
    parts.append(draws.choice(places.cities))
    if draws.random() < 0.6:
        parts.append(f"{draws.choice(places.regions)} {draws.randrange(100, 99999)}")
    return gap.join(parts)
