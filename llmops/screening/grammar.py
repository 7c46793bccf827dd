r"""A small grammar of texts: templates with choices, written as text files beside this module.

A line is one template. `(a|b|)` is one of its alternatives, `{name}` one of those of a slot, which a line
`@name (a|b)` defines; both nest. `% name` opens a family, `#` a comment. `\n` is a new line; a backslash before any
other character takes its meaning away. Braces that hold no name stand for themselves.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from random import Random

from llmops.errors import ConfigurationError

_PIECE = re.compile(r"\\(?P<escaped>.)|\{(?P<slot>[a-z]+)\}|(?P<mark>[()|])|(?P<text>[^\\(){}|]+|[{}])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one of the texts that a name stands for."""

    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Alternatives, all equally likely."""

    alternatives: tuple[tuple["Slot | Choice | str", ...], ...]


Sequence = tuple[Slot | Choice | str, ...]


@dataclass(frozen=True, slots=True)
class Grammar:
    """Templates by family, and what their slots stand for."""

    families: dict[str, tuple[Sequence, ...]]
    slots: dict[str, Sequence]

    def expand(self, sequence: Sequence, dice: Random) -> str:
        """One text of a template, single spaces throughout."""
        return re.sub(r"[ \t]+", " ", self._expanded(sequence, dice)).strip()

    def _expanded(self, sequence: Sequence, dice: Random) -> str:
        return "".join(
            piece
            if isinstance(piece, str)
            else self._expanded(self.slots[piece.name], dice)
            if isinstance(piece, Slot)
            else self._expanded(dice.choice(piece.alternatives), dice)
            for piece in sequence
        )


def read(path: Path) -> Grammar:
    """The grammar of a file. Raises ConfigurationError that names the line that is wrong."""
    families: dict[str, list[Sequence]] = {}
    slots: dict[str, Sequence] = {}
    family = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("# "):
            continue
        if line.startswith("% "):
            family = line[2:].strip()
            families[family] = []
            continue
        name, _, rest = line[1:].partition(" ") if line.startswith("@") else ("", "", line)
        try:
            sequence = parse(rest)
        except ValueError as error:
            raise ConfigurationError(f"{path.name}, line {number}: {error}") from error
        if name:
            slots[name] = sequence
        elif family:
            families[family].append(sequence)
        else:
            raise ConfigurationError(f"{path.name}, line {number}: a template before the first family (`% name`)")
    grammar = Grammar({name: tuple(members) for name, members in families.items()}, slots)
    if unknown := _names(grammar) - set(slots):
        raise ConfigurationError(f"{path.name}: no such slot: {', '.join(sorted(unknown))}; define it by `@name (…)`")
    return grammar


def parse(template: str) -> Sequence:
    """A template's pieces. Raises ValueError when a parenthesis has no partner."""
    levels: list[list[list[Slot | Choice | str]]] = [[[]]]
    for piece in _PIECE.finditer(template):
        mark = piece["mark"]
        if mark == "(":
            levels.append([[]])
        elif mark == "|" and len(levels) > 1:
            levels[-1].append([])
        elif mark == ")":
            if len(levels) == 1:
                raise ValueError("`)` without `(`; write `\\)` for the character itself")
            closed = levels.pop()
            levels[-1][-1].append(Choice(tuple(tuple(alternative) for alternative in closed)))
        elif piece["slot"]:
            levels[-1][-1].append(Slot(piece["slot"]))
        else:
            escaped = piece["escaped"]
            levels[-1][-1].append("\n" if escaped == "n" else escaped or piece["text"] or mark)
    if len(levels) > 1:
        raise ValueError("`(` without `)`; write `\\(` for the character itself")
    return tuple(levels[0][0])


def _names(grammar: Grammar) -> set[str]:
    waiting: list[Slot | Choice | str] = [
        piece
        for sequence in (*grammar.slots.values(), *(s for members in grammar.families.values() for s in members))
        for piece in sequence
    ]
    found: set[str] = set()
    while waiting:
        piece = waiting.pop()
        if isinstance(piece, Slot):
            found.add(piece.name)
        elif isinstance(piece, Choice):
            waiting.extend(inner for alternative in piece.alternatives for inner in alternative)
    return found
