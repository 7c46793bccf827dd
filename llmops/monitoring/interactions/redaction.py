"""Personal data out of texts before they touch the disk, in a process beside the service.

To look for phone numbers takes milliseconds a text and holds Python's interpreter lock all the while: done in the
service's own process, every stream would stutter. Texts go through a pipe, never through a file. The other process
ends with its parent, however that one ends: its standard input is closed then.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from phonenumbers import SUPPORTED_REGIONS

from llmops.errors import ConfigurationError
from llmops.guards import personal_data

PHONE_REGIONS = ("DE", "NO", "GB", "US", "FR")
_CHILD_NICENESS = 10  # answers come first
_CHILD_ENDS_WITHIN_SECONDS = 5


class Redacted(NamedTuple):
    """What may be kept of a text, and the types of what was taken out, one per finding."""

    text: str
    types: tuple[str, ...]


class Redactor(Protocol):
    """Takes personal data out of texts; used by one thread."""

    def redact(self, texts: Sequence[str]) -> list[Redacted]:
        """One result per text. Whatever is raised, none of the texts is kept."""

    def close(self) -> None:
        """Let go of what the redactor holds."""


class PersonalDataRedactor:
    """Puts `<TYPE>` in place of personal data of the given types, in this process.

    Raises ConfigurationError for a type or region that nothing would be found for: a typing mistake in the settings
    must not leave personal data in.
    """

    def __init__(
        self, types: Collection[str] = personal_data.TYPES, phone_regions: Collection[str] = PHONE_REGIONS
    ) -> None:
        unknown = [*(set(types) - set(personal_data.TYPES)), *(set(phone_regions) - SUPPORTED_REGIONS)]
        if unknown or not types:
            raise ConfigurationError(
                f"redaction of interactions: no such type or region: {', '.join(sorted(unknown)) or 'no type at all'}; "
                f"types are {', '.join(personal_data.TYPES)}, regions ISO 3166 alpha-2 codes such as DE"
            )
        self._types, self._phone_regions = types, phone_regions

    def redact(self, texts: Sequence[str]) -> list[Redacted]:
        """One result per text."""
        found = [personal_data.find(text, self._types, self._phone_regions) for text in texts]
        return [
            Redacted(personal_data.redact(text, spans), tuple(span.type for span in spans))
            for text, spans in zip(texts, found, strict=True)
        ]

    def close(self) -> None:
        """Nothing is held."""


class RedactionProcess:
    """A `PersonalDataRedactor` in a process of its own, started with the first text and again after it died.

    A list of texts that takes longer than `limit_seconds` ends the process, and is not kept.
    """

    def __init__(
        self,
        types: Collection[str] = personal_data.TYPES,
        phone_regions: Collection[str] = PHONE_REGIONS,
        limit_seconds: int = 20,
    ) -> None:
        PersonalDataRedactor(types, phone_regions)  # a mistake is told here, not by a child that does not start
        self._arguments = json.dumps([sorted(types), sorted(phone_regions), limit_seconds])
        self._child: subprocess.Popen[bytes] | None = None

    def redact(self, texts: Sequence[str]) -> list[Redacted]:
        """One result per text; raises ChildProcessError when they could not be redacted."""
        child = self._child = self._child or self._start()
        answer = b""
        if child.stdin and child.stdout:
            with suppress(OSError):
                child.stdin.write(json.dumps(texts).encode() + b"\n")
                child.stdin.flush()
                answer = child.stdout.readline()
        if not answer.endswith(b"\n"):
            self.close()
            raise ChildProcessError("the redaction process has ended")
        results = json.loads(answer)
        if results is None:
            raise ChildProcessError("the redaction process could not redact")
        return [Redacted(text, tuple(types)) for text, types in results]

    def close(self) -> None:
        """End the process."""
        child, self._child = self._child, None
        if child is None:
            return
        with child:  # closes the pipes, which ends it, and waits
            try:
                with suppress(OSError):
                    child.communicate(timeout=_CHILD_ENDS_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()

    def _start(self) -> "subprocess.Popen[bytes]":
        # In a session of its own: Ctrl-C in a terminal is for the service, which then writes what is queued.
        return subprocess.Popen(
            [sys.executable, "-m", "llmops.monitoring.interactions.redaction", self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )


def serve(arguments: str) -> None:
    """Answer each list of texts on standard input with its results, or null, until the input ends."""
    types, phone_regions, limit_seconds = json.loads(arguments)
    os.nice(_CHILD_NICENESS)
    redactor = PersonalDataRedactor(types, phone_regions)
    for line in sys.stdin.buffer:
        signal.alarm(limit_seconds)  # not handled: the signal ends this process, even amid a regular expression
        try:
            results = redactor.redact(json.loads(line))
        except Exception:  # noqa: BLE001 - the parent must hear of whatever it is, and no message with text be printed
            results = None
        signal.alarm(0)
        sys.stdout.buffer.write(json.dumps(results).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
