"""`llmops quarantine`: the rows that a stage set aside, and why."""

import json

from cyclopts import App

from llmops import artifacts
from llmops.errors import ConfigurationError, MissingArtifactError

app = App(name="quarantine", help=__doc__)


@app.command(name="list")
def list_rows(artifact: str, *, rule: str | None = None) -> str:
    """One line per row set aside beside `artifact`: id, rule, keeper or origin, reason."""
    rows = [row for row in _rows(artifact) if rule in {None, row["rule"]}]
    lines = [f"{row['row_id']}  {row['rule']:<16}  {_where(row)}  {row['reason']}" for row in rows]
    return "\n".join([*lines, f"{len(rows)} rows set aside in {artifact}"])


@app.command(name="show")
def show_row(artifact: str, row_id: str) -> str:
    """Everything known about one row set aside, as JSON; `row_id` may be shortened to its first digits."""
    found = [row for row in _rows(artifact) if row["row_id"].startswith(row_id)]
    if not found:
        raise ConfigurationError(f"{row_id}: not in the quarantine of {artifact}; see `llmops quarantine list`")
    return "\n".join(json.dumps(row, ensure_ascii=False, indent=2) for row in found)


def _rows(artifact: str) -> list[dict[str, str]]:
    manifest = artifacts.find(artifact)
    if manifest is None:
        raise MissingArtifactError(
            f"{artifact}: no manifest; pass the folder of an artifact, such as LAKE/clean/ds=DAY"
        )
    rows: list[dict[str, str]] = artifacts.read_table(manifest, quarantine=True).to_pylist()
    return sorted(rows, key=lambda row: (row["rule"], row["uri"], row["row_id"]))


def _where(row: dict[str, str]) -> str:
    return f"into {row['merged_into']}" if row["merged_into"] else row["uri"]
