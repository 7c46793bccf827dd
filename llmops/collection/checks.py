"""Types of configuration fields that are more than text: a value that cannot work is refused with the recipe."""

import re
from typing import Annotated

from pydantic import AfterValidator

from llmops.config import LOGIN


def _require_pattern(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(
            f"not a regular expression: {error}; correct it, the syntax is that of Python's `re`"
        ) from error
    return value


def _require_line_groups(value: str) -> str:
    missing = [f"(?P<{name}>…)" for name in ("time", "nick", "text") if name not in re.compile(value).groupindex]
    if missing:
        raise ValueError(
            f"without the named groups {', '.join(missing)}; add them, empty where the log has no such part"
        )
    return value


def _require_selector(value: str) -> str:
    import soupsieve  # noqa: PLC0415 - loads lxml, which only recipes with pages need

    try:
        soupsieve.compile(value)
    except soupsieve.SelectorSyntaxError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"not a CSS selector: {reason}; correct it") from error
    return value


def _require_selectors(value: str) -> str:
    for selector in value.split(","):
        _require_selector(selector.strip())
    return value


def _require_encoding(value: str) -> str:
    try:
        "".encode(value)
    except (LookupError, UnicodeError) as error:
        raise ValueError(f"no text encoding ({error}); name one that Python knows, such as utf-8 or cp1252") from error
    return value


def _require_query(value: str) -> str:
    if not value.strip():
        raise ValueError("empty; write the SELECT that gives the rows of the day")
    return value


def _refuse_login(value: str) -> str:
    if LOGIN.search(value):
        remedy = "put them into the environment, where storage looks for them, or fetch the file below the root"
        raise ValueError(f"credentials in an address; recipes hold no secrets: {remedy}")
    return value


Address = Annotated[str, AfterValidator(_refuse_login)]
Pattern = Annotated[str, AfterValidator(_require_pattern)]
ChatLine = Annotated[Pattern, AfterValidator(_require_line_groups)]
Selector = Annotated[str, AfterValidator(_require_selector)]
Selectors = Annotated[str, AfterValidator(_require_selectors)]
"""Selectors that are tried one after the other, with commas between them; so none holds a comma itself."""
Encoding = Annotated[str, AfterValidator(_require_encoding)]
Query = Annotated[str, AfterValidator(_require_query)]
