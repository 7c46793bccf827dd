"""`llmops audit`: read the log of privileged actions, and check that nobody altered it."""

from collections.abc import Iterator
from typing import Annotated

from cyclopts import App, Parameter

from llmops import audit
from llmops.audit import Entry
from llmops.errors import AuditError
from llmops.settings import Settings

app = App(name="audit", help=__doc__)


@app.command
def show(
    *,
    action: str | None = None,
    last: int | None = None,
    json: bool = False,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> str:
    """One line per entry, the oldest first: number, time, who, action, object, result, reason. Nothing is verified.

    Parameters
    ----------
    action
        Only this kind of action, such as `publish`.
    last
        Only the last so many of them.
    json
        JSON lines as they were recorded.
    """
    if not settings.audit_log.exists():
        raise AuditError(f"{settings.audit_log}: no audit log")
    found = [(entry, line) for entry, line in _readable(settings) if action in {None, entry.action}]
    chosen = found[-last:] if last else found
    if json:
        return "".join(line.decode() for _, line in chosen).rstrip("\n")
    return "\n".join([*(_row(entry) for entry, _ in chosen), f"{len(chosen)} entries in {settings.audit_log}"])


@app.command
def verify(*, seen: str | None = None, settings: Annotated[Settings, Parameter(parse=False)]) -> str:
    """Check the whole log; fails with the first line that was altered, or with what is missing at the end.

    Parameters
    ----------
    seen
        Hash of an entry that was noted elsewhere, such as in the service's logs: it must be in the log.
    """
    head = audit.verify(settings, seen)
    return f"{head.sequence} entries, none altered; the last has hash {head.hash}"


def _readable(settings: Settings) -> Iterator[tuple[Entry, bytes]]:
    return ((entry, line) for _, entry, line in audit.entries(settings.audit_log) if entry is not None)


def _row(entry: Entry) -> str:
    who = f"{entry.user}@{entry.host}" + (f" for {entry.actor}" if entry.actor else "")
    words = [f"{entry.sequence:>5}", f"{entry.at:%Y-%m-%d %H:%M:%S}", who, entry.action, _printable(entry.object)]
    return "  ".join([*words, entry.result, _printable(entry.detail)]).rstrip()


def _printable(text: str) -> str:
    """The text on one line, with escapes in place of what a terminal might take for a command."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
