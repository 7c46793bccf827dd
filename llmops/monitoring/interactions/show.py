"""`llmops show-interactions`: what a stored day holds."""

from typing import Any

from llmops import artifacts
from llmops.monitoring.interactions.records import TEXT_FIELDS


def show_interactions(artifact: str, *, subject: str | None = None, text: bool = False) -> str:
    """One line per answer and the day's counts; no text unless it is asked for.

    Parameters
    ----------
    artifact
        Folder of a stored day, such as LAKE/interactions/ds=DAY.
    subject
        Only the answers to one person, by the pseudonym that the rows carry.
    text
        Show question, context, answer and corrected answer as well.
    """
    manifest = artifacts.read(artifact, stage="store-interactions")
    rows = artifacts.read_table(manifest).to_pylist()
    chosen = [row for row in rows if subject in {None, row["subject_id"]}]
    lines: list[str] = []
    for row in sorted(chosen, key=lambda row: (row["event_time"], row["row_id"])):
        lines.append(_summary(row))
        if text:
            lines += [f"    {name}: {_printable(row[name])}" for name in TEXT_FIELDS if row[name] is not None]
    counts = "  ".join(f"{name} {count}" for name, count in sorted(manifest.counts.items()))
    return "\n".join([*lines, f"{len(chosen)} of {len(rows)} answers in {artifact}", counts])


def _summary(row: dict[str, Any]) -> str:
    trains = "trains" if row["is_trainable"] else "-"
    time = row["event_time"].isoformat(timespec="seconds")
    return "  ".join(
        [row["row_id"], time, row["subject_id"], row["model"], row["rating"] or "unrated", trains, row["reason"]]
    )


def _printable(text: str) -> str:
    """The text on one line, with escapes in place of what a terminal might take for a command."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
