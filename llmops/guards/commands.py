"""Ask the guards: what they find in texts."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cyclopts import App

from llmops.errors import ConfigurationError
from llmops.guards import personal_data

app = App(name="guard", help=__doc__)


@app.command(name="personal-data")
def show_personal_data(file: Path | None = None, *, region: tuple[str, ...] = personal_data.PHONE_REGIONS) -> str:
    """Print what personal data and secrets stand in texts: JSON lines `{id, text}` in, `{id, spans}` out.

    A span is `{start, end, type, score}`: `text[start:end]` in Unicode code points, and how sure the finding is (1: a
    checksum). Types: SECRET (API keys, tokens, private keys, addresses with a login), IBAN, CARD, EMAIL, SSN (United
    States, and what is called so), NATIONAL_ID (other countries' personal and tax numbers), IP, MAC, CRYPTO (wallets),
    DATE_OF_BIRTH, PASSWORD, PIN (and card codes), ACCOUNT (bank, customer and policy numbers), PASSPORT,
    DRIVER_LICENSE, USERNAME, PHONE, ADDRESS (postal), PERSON.

    Parameters
    ----------
    file
        File of JSON lines; standard input if left out.
    region
        Countries (ISO 3166 alpha-2) whose national phone formats are known; give it once for each.
    """
    name, lines = ("standard input", sys.stdin) if file is None else (str(file), file.open(encoding="utf-8"))
    with lines:
        return "\n".join(
            json.dumps(
                {"id": identifier, "spans": [asdict(span) for span in personal_data.find(text, phone_regions=region)]}
            )
            for identifier, text in read_texts(lines, name)
        )


def read_texts(lines: Iterable[str], name: str) -> Iterator[tuple[Any, str]]:
    """Id and text of each line; raises ConfigurationError that names the line which holds none."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            yield record["id"], record["text"] + ""
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{name}, line {number}: not an object with `id` and a text `text`") from error
