"""What only the words before it tell apart: passwords, PINs, account numbers, dates of birth, documents, user names."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from llmops.guards.patterns import hints
from llmops.guards.patterns.secrets import holds_any
from llmops.guards.spans import Span

_LINK = (
    r"(?:\s{0,3}(?::|=|=>|->|-|–|\bis\b|\bwas\b|\bare\b|\bist\b|\best\b|\bes\b|\bè\b|\ber\b|\bé\b|\bto\b|\bas\b)){1,2}"
)
_QUOTE = "\"'`“”‘’«»„"
_FILLER = (
    r"(?: (?:for|to|of|on|at|in|the|my|our|this|that|new|old|current|temporary|account|login|email|portal|site|app|user"
    r"|wifi|wi-fi|set|number)\b){0,5}"
)

_PASSWORD = re.compile(
    r"(?:pass ?(?:word|wort|wd|code|phrase)|\bpwd\b|\bpw\b|passord|lösenord|losenord|wachtwoord|kennwort|parola"
    r"|contrase[ñn]a|\bsenha\b"
    rf"|mot de passe|\bhasło)\b(?P<filler>{_FILLER})(?P<link>{_LINK}|\s{{1,2}}(?=[({_QUOTE}]))\s{{0,3}}"
    rf"(?P<quote>[{_QUOTE}(]?)(?P<value>[^\s<>{_QUOTE}]{{3,64}})",
    re.IGNORECASE,
)
# Said of passwords more often than they are chosen for one.
_NO_PASSWORD = frozenset(
    """
    not wrong incorrect invalid expired required case the a an no never being still too correct my your our his her
    their reset changed changing working saved safe secure weak strong stored in on at to for and or but that this
    it what which when if because so very also now always only just already gone lost forgotten compromised unknown
    needed necessary different same set been be sensitive protected encrypted hidden blank empty missing out where
    how something anything nothing accepted rejected denied blocked locked disabled available valid important
    confidential private least minimum between change reset login log access proceed continue use enter avoid
    protect keep make get recover update verify sent emailed asking request nicht falsch richtig pas incorrecto
    incorrect, never, ongeldig optional temporary easy difficult hard long short longer shorter open
    """.split()
)
_PIN = re.compile(
    rf"\b(?:pin|cvv2?|cvc2?|security code|pin ?code|mpin)\b(?: (?:code|number|no))?{_FILLER}(?:{_LINK}"
    rf"|\s)\s{{0,3}}[{_QUOTE}(]?"
    r"(?P<value>\d{3,6})(?![\w-]|\.\d)",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"(?:(?:\b(?:bank|savings|checking|current|deposit|giro|customer|client|member(?:ship)?|loan|brokerage|credit"
    r"|utility|my|the|your|our|from|to|new) ?)?"
    r"(?:\baccounts?|\bacct|\bacc|\ba/c|\bkonto(?:nummer|nr)?|\bcompte|\bcuenta|\bconta\b|\brekening(?:nummer)?"
    r"|\bmembership|\bpolicy|\brouting|\bsort[ -]code|\baba)"
    r"\.?(?: (?:number|num|no|nr|id|code|ending|numéro|numero|número|nummer|n°|#)\b\.?)?(?: ?[#№])?"
    rf"(?: (?:number|no)\b\.?)?(?: \((?:[A-Za-z ]{{1,20}})\))?{_FILLER}(?:{_LINK}|\s"
    rf"|(?<=#))\s{{0,3}}[{_QUOTE}#(]{{0,2}})"
    r"(?P<value>(?:[A-Z]{1,4}-?)?\d(?:[ -]?\d){4,17})(?![\w-]|\.\d)",
    re.IGNORECASE,
)
_MONTH = (
    r"(?:jan(?:uary|uar|vier|eiro)?|feb(?:ruary|ruar)?|f[ée]vr(?:ier)?|mar(?:ch|s|zo|ço)?|märz|apr(?:il|ile)?|avril"
    r"|abril|may|mai|mayo"
    r"|maio|jun(?:e|i|io|ho)?|juin|jul(?:y|i|io|ho)?|juillet|aug(?:ust|usti)?|ao[ûu]t|agosto|sep(?:t(?:ember|embre"
    r"|iembre)?)?"
    r"|setembro|o[ck]t(?:ober|obre|ubre)?|outubro|nov(?:ember|embre|iembre)?|de[czs](?:ember|embre|iembre|embro)?"
    r"|enero|ene"
    r"|desember|gennaio|febbraio|maggio|giugno|luglio|settembre|ottobre|dicembre)\.?"
)
_DATE = (
    r"(?:\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?:T[\d:.]+Z?)?|\d{1,2} \d{1,2} (?:19|20)\d\d"
    rf"|\d{{1,2}}(?:st|nd|rd|th|er|\.)?[ /-]?(?: ?(?:of|de|di) )?{_MONTH}(?:,? ?(?:de |del )?[ /-]?'?\d{{2,4}})?"
    rf"|{_MONTH} ?\d{{1,2}}(?:st|nd|rd|th)?(?:[ ,/]{{1,3}}'?\d{{2,4}})?)"
)
_BIRTH = re.compile(
    r"(?:\bborn\b|date[- _]of[- _]birth|birth[- _]?dates?|birthday|\bd\.?o\.?b\b\.?|\bgeboren\b|\bgeb\.|geburtsdatum"
    r"|\bnée?\b"
    r"|date de naissance|fecha de nacimiento|nacid[oa]|data di nascita|\bnat[oa] il|data de nascimento|nascid[oa]"
    r"|geboortedatum"
    r"|fødselsdato|\bfödd\b|\bfødt\b|födelsedatum|syntymäaika|data urodzenia)"
    rf"[\w ,'’\"():#=*/-]{{0,40}}?(?<![\d./-])(?P<value>{_DATE})(?![\w-]|[./]\d)",
    re.IGNORECASE,
)
_PASSPORT = re.compile(
    r"(?:passport|reisepass|passeport|pasaporte|passaporto)(?: (?:number|no|nr|num|id|nummer|#)\b\.?)?"
    rf"{_FILLER}(?:{_LINK}|\s)\s{{0,3}}[{_QUOTE}#(]?(?P<value>(?=(?:[A-Z]*\d){{3}})[A-Z0-9]{{6,9}})(?![\w-])",
    re.IGNORECASE,
)
_LICENSE = re.compile(
    r"(?:driv(?:er|ing)(?:'?s|’s)? ?-?licen[cs]e|\bdl\b|führerschein|permis de conduire)(?: (?:number|no|nr|num|id"
    r"|#)\b\.?)?"
    rf"{_FILLER}(?:{_LINK}|\s)\s{{0,3}}[{_QUOTE}#(]?(?P<value>(?=[A-Z]*[ -]?\d)[A-Z0-9](?:[ "
    rf"-]?[A-Z0-9]){{4,15}}(?<=\d)[A-Z]{{0,3}})(?![\w-])",
    re.IGNORECASE,
)
_USERNAME = re.compile(
    rf"(?:\buser ?-?(?:name|id)|\blog-?in ?(?:name|id)|benutzername|nom d['’]utilisateur|\bmy login"
    rf"|\bscreen ?name){_FILLER}(?P<link>{_LINK})\s{{0,3}}"
    rf"[{_QUOTE}@(]?(?P<value>[\w.@-]{{3,40}})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Rule:
    type: str
    stems: tuple[str, ...]
    """One of these stands in every text (in lower case) in which the pattern finds something."""
    pattern: re.Pattern[str]
    digits: int = 3
    """Digits together that such a value has at least."""


_LOGIN_STEMS = (
    *("username", "user name", "user-name", "userid", "user id", "user-id", "loginname", "login name", "login id"),
    *("log-in name", "log-in id", "my login", "benutzername", "utilisateur", "screenname", "screen name"),
)
_RULES = (
    _Rule(
        "PASSWORD",
        ("pass", "pwd", "pw", "ösenord", "losenord", "wachtwoord", "kennwort", "parola", "contrase", "senha", "hasło"),
        _PASSWORD,
        digits=0,
    ),
    _Rule("PIN", ("pin", "cvv", "cvc", "security code"), _PIN),
    _Rule(
        "ACCOUNT",
        ("acc", "a/c", "konto", "compte", "cuenta", "conta", "rekening", "member", "policy", "routing", "sort", "aba"),
        _ACCOUNT,
        digits=5,
    ),
    _Rule(
        "DATE_OF_BIRTH",
        (
            "birth",
            "born",
            "dob",
            "d.o.b",
            "gebo",
            "geb.",
            "geburt",
            "née",
            "né ",
            "naissance",
            "naci",
            "nasc",
            "nat",
            "fødselsdato",
            "född",
            "født",
            "födelse",
            "syntym",
            "urodz",
        ),
        _BIRTH,
        digits=1,
    ),
    _Rule("PASSPORT", ("passport", "passeport", "reisepass", "pasaporte", "passaporto"), _PASSPORT),
    _Rule("DRIVER_LICENSE", ("driver", "driving", "dl", "führersch", "permis"), _LICENSE),
    _Rule("USERNAME", _LOGIN_STEMS, _USERNAME, digits=0),
)
HINTS = {rule.type: (hints.of(rule.pattern.pattern),) for rule in _RULES}
"""See `hints`."""
_TRAILING = ".,;:!?)]}…" + _QUOTE


def find(text: str, digits: int, types: Collection[str]) -> Iterator[Span]:
    """Values of `types` that are named by the words before them, in any of some dozen languages' words.

    `digits` is the most that stand together in the text.
    """
    rules = [rule for rule in _RULES if rule.type in types and digits >= rule.digits]
    lowered = text.lower() if rules else ""
    for rule in rules:
        if not holds_any(lowered, rule.stems):
            continue
        for match in rule.pattern.finditer(text):
            value = _value(rule, match)
            if value:
                yield Span(match.start("value"), match.start("value") + len(value), rule.type, 0.85)


def _value(rule: _Rule, match: re.Match[str]) -> str:
    value = match["value"].rstrip(" ")
    if rule.type == "PASSWORD":
        return _password(match)
    if rule.type == "USERNAME":
        value = value.rstrip(_TRAILING + "-")
        is_word = value.isalpha() and match["link"].strip() not in {":", "="}
        return "" if is_word or value.lower() in _NO_PASSWORD or len(value) < 3 else value
    return value


def _password(match: re.Match[str]) -> str:
    """The password of a match, or nothing where the words go on to say something about it."""
    value = match["value"]
    end = value.rstrip(_TRAILING)
    if len(end) < 3:
        return ""
    # A last `!` or `?` is part of a password that is no word: `hunter2!`, but `it is secret!`
    said = value.rstrip(".,;:)]}…" + _QUOTE)
    if not end.isalpha() and said[:-1] == end and said[-1] in "!?":
        end = said
    if not end.isalpha():
        return end if not end.lower().startswith(("http", "www.")) else ""
    is_quoted = bool(match["quote"]) or match["link"].strip() in tuple(_QUOTE)
    if end.lower() in _NO_PASSWORD or (end.lower().endswith(("ing", "ed", "ly")) and not is_quoted):
        return ""
    is_told = match["link"].strip() in {":", "=", "=>", "->"} or match["link"].strip().endswith((":", "="))
    is_mixed = not (end.islower() or end.istitle())
    return end if is_quoted or is_told or is_mixed or match["link"].strip() in {"is", "ist", "est", "es"} else ""
