"""Where an erasure looks, and what its stores tell it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from llmops.governance.erasure.person import Person
from llmops.manifest import Manifest
from llmops.settings import Settings


class Found(NamedTuple):
    """What a store holds of the person in one place."""

    place: str
    """File, artifact or table; never with a name of the person in it."""
    items: int
    """Rows, lines, entries or values."""


@dataclass(frozen=True)
class Places:
    """Everything that an erasure needs beside the person."""

    settings: Settings
    spool: Path
    """Where the service keeps interactions until they are stored."""
    logs: tuple[str, ...]
    """Patterns of log files."""
    sequence: int
    """Number of the erasure; 0 where nothing is erased, only looked for."""
    sign: Callable[[Manifest], str]
    """Signs rewritten manifests."""


class Store(Protocol):
    """One kind of place, as a module: another one, such as Elasticsearch, is a module with these two functions."""

    def find(self, person: Person, places: Places) -> Sequence[Found]:
        """What there is of the person; row ids and forms of the name that come up are learnt."""

    def erase(self, person: Person, places: Places) -> None:
        """Take it out for good. Harmless where nothing is left, and after a run that was killed."""
