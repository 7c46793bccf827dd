"""Chat logs: a customer's lines, and the agent's lines that answer them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from llmops.collection.config import ChatSource
from llmops.collection.records import Broken, Record, UnreadableError


@dataclass
class _Turn:
    customer: str = ""
    agent: str = ""
    time: str = ""
    question: list[str] = field(default_factory=list)
    answer: list[str] = field(default_factory=list)

    def record(self, position: int) -> Record:
        fields = {"question": self.question, "answer": self.answer}
        texts = {name: "\n".join(lines) or None for name, lines in fields.items()}
        return Record(position, {**texts, "customer": self.customer, "agent": self.agent or None, "time": self.time})


def fetch(data: bytes, source: ChatSource) -> Iterator[Record | Broken]:
    """Turns of the conversation in order: consecutive lines of customers, then those of agents.

    An agent's lines before any question open a turn without a question. Without configured agents every line is a turn
    of its own, with only a question's side. A line that does not parse comes out as Broken; so does, by raising
    UnreadableError, a file in which no line does.
    """
    text = data.decode("utf-8", errors="replace").removeprefix("\ufeff")
    pattern, parsed, turn, turns = re.compile(source.line), 0, _Turn(), 0
    for number, line in enumerate(text.splitlines()):
        match = pattern.match(line)
        if match is None:
            if line.strip():
                yield Broken("malformed_record", f"line {number + 1} does not match the line pattern", number, line)
            continue
        parsed += 1
        groups = match.groupdict(default="")
        is_agent = any(fnmatchcase(groups["nick"], agent) for agent in source.agents)
        if (turn.answer and not is_agent) or (turn.question and not source.agents):
            yield turn.record(turns)
            turn, turns = _Turn(), turns + 1
        _add(turn, groups, is_agent=is_agent)
    if turn.question or turn.answer:
        yield turn.record(turns)
    if not parsed:
        raise UnreadableError("no line matches the line pattern")


def _add(turn: _Turn, groups: dict[str, str], *, is_agent: bool) -> None:
    if not turn.time:
        turn.time = " ".join(filter(None, (groups.get("date"), groups["time"])))
    if is_agent:
        turn.agent = groups["nick"]
        turn.answer.append(groups["text"].strip())
    else:
        turn.customer = turn.customer or groups["nick"]
        turn.question.append(groups["text"].strip())
