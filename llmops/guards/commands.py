"""`llmops guard`: the guards on JSON lines, as a person or another program asks them."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cyclopts import App

from llmops.errors import ConfigurationError
from llmops.guards import personal_data, scorers
from llmops.guards.injection import THRESHOLD, screen

app = App(name="guard", help=__doc__)


@app.command(name="personal-data")
def show_personal_data(file: Path | None = None, /, *, region: tuple[str, ...] = personal_data.PHONE_REGIONS) -> str:
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
    return "\n".join(
        json.dumps(
            {
                "id": row["id"],
                "spans": [asdict(span) for span in personal_data.find(row["text"], phone_regions=region)],
            }
        )
        for row in read_lines(file)
    )


@app.command(name="injection")
def score_injection(file: Path | None = None, /, *, scorer: str | None = None) -> str:
    """Score texts as attempts to take a model over: `{"id": …, "score": 0 to 1, "flagged": …}` for each line.

    Parameters
    ----------
    file
        JSON lines, `{"id": …, "text": "…"}`; standard input, if not given.
    scorer
        A heavier model to ask as well, `package.module:function`; the higher score counts.
    """
    ask = scorers.named(scorer) if scorer else None
    return "\n".join(json.dumps(_scored(row, ask)) for row in read_lines(file))


def _scored(row: dict[str, Any], ask: scorers.Scorer | None) -> dict[str, Any]:
    score = screen(row["text"]).score
    if ask is not None:
        score = max(score, ask(row["text"]))
    return {"id": row["id"], "score": score, "flagged": score >= THRESHOLD}


def read_lines(file: Path | None) -> Iterator[dict[str, Any]]:
    """Rows with `id` and `text` of a file of JSON lines, or of standard input; empty lines are passed over.

    Raises ConfigurationError that names the line that is none.
    """
    with ExitStack() as stack:
        try:
            lines: Iterable[bytes] = stack.enter_context(file.open("rb")) if file else sys.stdin.buffer
        except OSError as error:
            raise ConfigurationError(f"{file}: {error.strerror}; name a file of JSON lines") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                is_wrong = not isinstance(row, dict) or "id" not in row or not isinstance(row.get("text"), str)
            except ValueError:  # also bytes that are not UTF-8
                is_wrong = True
            if is_wrong:
                where = f"{file or 'standard input'}, line {number}"
                raise ConfigurationError(f'{where}: not of the form {{"id": …, "text": "…"}} in UTF-8')
            yield row
