"""The spool: interactions as the service has written them down, until they are stored and after.

Files are replaced; the service notices that the file it had open is gone and opens another one. What it wrote while the
lines were read is taken over from the old file. A line that is written in the very moment in between, less than a
millisecond, may be lost.
"""

import json
import os
import secrets
from pathlib import Path

from llmops.governance.erasure.person import Person
from llmops.governance.erasure.places import Found, Places


def find(person: Person, places: Places) -> list[Found]:
    """Lines about the person, and lines with one of the names, by file."""
    found = []
    for path in _files(places.spool):
        lines = sum(_concerns(line, person) for line in path.read_bytes().splitlines())
        if lines:
            found.append(Found(f"spool/{path.relative_to(places.spool)}", lines))
    return found


def erase(person: Person, places: Places) -> None:
    """Write each file's other lines anew in its place."""
    for path in _files(places.spool):
        with path.open("rb") as old:
            data = old.read()
            if not any(_concerns(line, person) for line in data.splitlines()):
                continue
            _replace(path, _without(data, person))
            late = _without(old.read(), person)
            if late:
                _replace(path.with_name(f"erased-{secrets.token_hex(6)}.jsonl"), late)


def _files(spool: Path) -> list[Path]:
    return sorted(path for path in spool.glob("ds=*/*") if path.is_file())


def _without(data: bytes, person: Person) -> bytes:
    return b"".join(line for line in data.splitlines(keepends=True) if not _concerns(line, person))


def _concerns(line: bytes, person: Person) -> bool:
    if person.is_in(line):
        return True
    try:
        content = json.loads(line)
        return person.concerns(content["record"])
    except (ValueError, KeyError, TypeError):
        return False


def _replace(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f"_writing-{secrets.token_hex(6)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)
