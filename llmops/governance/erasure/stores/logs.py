"""Log files: names and row ids are overwritten in place, by as many `x`.

So programs that append to a file go on doing so.
"""

from collections.abc import Iterator
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from llmops.governance.erasure.person import Person
from llmops.governance.erasure.places import Found, Places


def find(person: Person, places: Places) -> list[Found]:
    """Names and row ids in log files, by file."""
    counted = ((path, person.mask_bytes(path.read_bytes())[1]) for path in files(places))
    return [Found(f"logs/{path.name}", names) for path, names in counted if names]


def erase(person: Person, places: Places) -> None:
    """Overwrite them."""
    for path in files(places):
        data = path.read_bytes()
        masked, names = person.mask_bytes(data)
        if names:
            with path.open("r+b") as stream:
                stream.write(masked)


def files(places: Places) -> Iterator[Path]:
    """The log files, each once."""
    names = {name for pattern in places.logs for name in LocalFileSystem().glob(pattern)}
    return (path for path in map(Path, sorted(names)) if path.is_file())
