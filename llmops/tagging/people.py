"""Names of people to learn from: Faker's lists of some sixty languages, and invented ones that no list holds."""

import importlib
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

_LOCALES = (
    *("en_US", "en_GB", "en_IE", "en_IN", "en_NZ", "en_KE", "en_NG", "en_PK", "en_TH", "de_DE", "de_AT", "de_CH"),
    *("fr_FR", "fr_CA", "fr_BE", "es_ES", "es_MX", "es_AR", "es_CO", "es_CL", "it_IT", "pt_BR", "pt_PT", "nl_NL"),
    *("nl_BE", "no_NO", "sv_SE", "da_DK", "fi_FI", "is_IS", "pl_PL", "cs_CZ", "sk_SK", "sl_SI", "hr_HR", "hu_HU"),
    *("ro_RO", "et_EE", "lt_LT", "lv_LV", "tr_TR", "az_AZ", "id_ID", "vi_VN", "ha_NG", "ig_NG", "yo_NG", "tw_GH"),
    *("zu_ZA", "sw", "uz_UZ", "ga_IE", "el_GR", "ru_RU", "uk_UA", "bg_BG", "mk_MK", "ar_DZ", "fr_DZ"),
)
_ROMANIZED = ("ja_JP", "zh_CN")
_PARTICLES = ("van der", "van", "de", "von", "bin", "al", "del", "da", "dos", "le", "ten", "el", "de la", "O", "Mac")
_FORMS = {
    "{first} {last}": 42,
    "{first}": 28,
    "{first} {s}. {last}": 6,
    "{first} {s} {last}": 3,
    "{first} {second} {last}": 5,
    "{first} {last}-{other}": 3,
    "{first} {particle} {last}": 4,
    "{f}. {last}": 3,
    "{last}, {first}": 0.5,
    "{first} {last} {other}": 2,
    "{first}-{second} {last}": 1,
    "{first} {last} Jr.": 1,
    "{f}.{s}. {last}": 1,
}
"""Forms of names, and how many of a hundred have each."""
_ONSETS = ("b br c ch d dr f g gr h j k kl kr l m n p pr r s sh st t tr v w y z zh mb ng kh th sv ph").split()
_VOWELS = ("a e i o u a e i o u aa ai au ei ia ie io ö ü é á ou ee oo").split()
_CODAS = ("n r l s t k m nd rt sson sen ski wicz ova ez es ini ello dottir berg mann quist a o i u y").split()


@dataclass(frozen=True)
class NameLists:
    """First and last names per locale; never empty."""

    first: dict[str, tuple[str, ...]]
    last: dict[str, tuple[str, ...]]

    def every(self, names: dict[str, tuple[str, ...]]) -> set[str]:
        """All words of all names, in lower case."""
        return {word.lower() for found in names.values() for name in found for word in name.split() if len(word) > 1}


@cache
def read_lists() -> NameLists:
    """The lists of the installed Faker (MIT)."""
    first: dict[str, tuple[str, ...]] = {}
    last: dict[str, tuple[str, ...]] = {}
    for locale in (*_LOCALES, *_ROMANIZED):
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        forms = ("first_romanized_names",) if locale in _ROMANIZED else _fields(provider, "first_name")
        found_first, found_last = _names(provider, forms), _names(provider, _fields(provider, "last_"))
        if locale in _ROMANIZED:
            found_last = _names(provider, ("last_romanized_names",))
        if found_first and found_last:
            first[locale], last[locale] = found_first, found_last
    return NameLists(first, last)


def draw(lists: NameLists, draws: random.Random, *, invented: float) -> tuple[str, str]:
    """A first and a last name of one locale, each of them invented with the given probability."""
    locale = draws.choice(tuple(lists.first)) if draws.random() < 0.7 else draws.choice(("en_US", "en_GB", "en_IN"))
    first, last = draws.choice(lists.first[locale]), draws.choice(lists.last[locale])
    if draws.random() < 0.05:
        last = draws.choice(lists.last[draws.choice(tuple(lists.last))])
    if draws.random() < invented:
        first = _invent(draws, draws.choice(lists.first[draws.choice(tuple(lists.first))]))
    if draws.random() < invented:
        last = _invent(draws, draws.choice(lists.last[draws.choice(tuple(lists.last))]))
    return first, last


def full(lists: NameLists, draws: random.Random, *, invented: float) -> str:
    """A name in one of the forms that people write."""
    first, last = draw(lists, draws, invented=invented)
    second, other = draw(lists, draws, invented=invented)
    made = draws.choices(tuple(_FORMS), tuple(_FORMS.values()))[0]
    return made.format(
        first=first, last=last, second=second, other=other, f=first[0], s=second[0], particle=draws.choice(_PARTICLES)
    )


def _invent(draws: random.Random, name: str) -> str:
    """A word that sounds like a name: another name's end on a beginning of its own, or syllables."""
    start = draws.choice(_ONSETS) + draws.choice(_VOWELS)
    if draws.random() < 0.6 and len(name) > 3:
        made = start + name.lower()[draws.randrange(1, len(name) - 1) :]
    else:
        made = start + draws.choice(_ONSETS) + draws.choice(_VOWELS) + draws.choice(_CODAS)
    return made[:1].upper() + made[1:]


def _fields(provider: Any, beginning: str) -> tuple[str, ...]:
    return tuple(
        name
        for name in dir(provider)
        if name.startswith(beginning) and name.rpartition("_")[2] in {"names", "male", "female", "common", "unisex"}
    )


def _names(provider: Any, fields: Iterable[str]) -> tuple[str, ...]:
    found: set[str] = set()
    for field in fields:
        value = getattr(provider, field, ())
        if isinstance(value, tuple | list | set | dict):
            found.update(name for name in value if isinstance(name, str) and name.strip())
    return tuple(sorted(found))
