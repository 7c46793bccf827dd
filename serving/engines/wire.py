"""How the API process and an engine's process talk: lines of JSON over a Unix socket, many calls at once.

A call is `{"id", "op", …}`; its replies are `{"id", …}`, one for most, a series of pieces for `stream`, or
`{"id", "error", "message"}`. `{"id", "op": "cancel"}` ends a call. Whoever may open the socket may use the engine: the
file is its owner's alone.
"""

import json
from asyncio import StreamReader, StreamWriter
from typing import Any

from llmops.errors import ConfigurationError, CorruptArtifactError
from serving.engines.contract import EngineDiedError

LONGEST_LINE = 64 * 2**20
"""Bytes; a prompt's ids are far below."""
_ERRORS: dict[str, type[Exception]] = {
    kind.__name__: kind for kind in (ConfigurationError, CorruptArtifactError, EngineDiedError)
}


def write(writer: StreamWriter, message: dict[str, Any]) -> None:
    """Send a message; `await writer.drain()` afterwards where much may wait."""
    writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")


async def read(reader: StreamReader) -> dict[str, Any] | None:
    """The next message, or None when the other side is gone."""
    line = await reader.readline()
    if not line.endswith(b"\n"):
        return None
    message: dict[str, Any] = json.loads(line)
    return message


def failure(number: int, error: Exception) -> dict[str, Any]:
    """The reply of a call that failed."""
    return {"id": number, "error": type(error).__name__, "message": str(error)}


def raise_failure(reply: dict[str, Any]) -> None:
    """Raise what a reply says went wrong, as one of the errors that the contract names where it is one."""
    if "error" in reply:
        raise _ERRORS.get(reply["error"], RuntimeError)(reply["message"])
