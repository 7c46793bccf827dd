"""`python -m serving.processes.engine SOCKET`: an engine, or only its tokenizer, as a process of its own.

The engine is the one that `LLMOPS_SERVING_ENGINE` names; with `--tokenizer-only` no model is loaded. The service
reaches it by `LLMOPS_SERVING_ENGINE=remote` and `LLMOPS_SERVING_ENGINE_SOCKET=SOCKET` (or `…_TOKENIZER_SOCKET`). Runs
until SIGTERM or SIGINT, with `--ends-with-parent` also until its standard input ends; answers under way end then.

Several API processes may use it. What one of them holds stays loaded until it is removed by the last that holds it, or
that one hangs up. An API process that asks for another base model gets an engine beside the old one, as within one
process; the newest engine stays when nobody uses it, for an API process that comes back.
"""

import argparse
import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog
import uvloop

from llmops import digests, logs
from llmops.errors import CorruptArtifactError
from serving.engines import wire
from serving.engines.contract import Adapter, BaseModel, EngineOptions, Job
from serving.processes import lifeline
from serving.processes.shared_engine import SharedEngine
from serving.settings import ServingSettings

_Replies = AsyncGenerator[dict[str, Any], None]
log = structlog.get_logger()


@dataclass(eq=False)
class _Connection:
    """One API process, and the engine that it has started."""

    calls: dict[int, "asyncio.Task[None]"] = field(default_factory=dict)
    shared: SharedEngine | None = None

    @property
    def running(self) -> SharedEngine:
        if self.shared is None:
            raise RuntimeError("no base model is loaded; `start` comes first")
        return self.shared


class EngineServer:
    """An engine for each base model in use, for any number of connections."""

    def __init__(self, module: str, options: EngineOptions) -> None:
        self._module, self._options = module, options
        self._engines: dict[str, SharedEngine] = {}
        self._newest: SharedEngine | None = None
        self._starting = asyncio.Lock()
        self._is_closed = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the calls of one connection, side by side, until it closes."""
        connection = _Connection()
        generating: set[asyncio.Task[None]] = set()
        try:
            while (message := await wire.read(reader)) is not None:
                number = message.pop("id")
                if message["op"] == "cancel":
                    if number in connection.calls:
                        connection.calls[number].cancel()
                    continue
                is_generating = message["op"] == "stream"
                task = asyncio.create_task(self._answer(connection, number, message, writer))
                connection.calls[number] = task
                task.add_done_callback(partial(_forget, connection.calls, number))
                if is_generating:
                    generating.add(task)
                    task.add_done_callback(generating.discard)
        except ConnectionError:
            pass
        except asyncio.CancelledError:  # Python 3.11 logs that a connection was open when the process ended
            if not self._is_closed:
                raise
        finally:
            await _end(generating)
            await self._part(connection)
            writer.close()

    async def close(self) -> None:
        """End every engine."""
        self._is_closed = True
        for shared in self._engines.values():
            await shared.engine.close()

    async def _part(self, connection: _Connection) -> None:
        """Give up what a connection holds that has closed; what it was loading is loaded first."""
        if connection.shared is not None and not self._is_closed:
            await connection.shared.give_up_all(connection)
        if connection.calls:
            await asyncio.wait(connection.calls.values())
        if connection.shared is not None and not self._is_closed:
            await connection.shared.give_up_all(connection)
            connection.shared.users.discard(connection)
            async with self._starting:
                await self._close_unused(but=self._newest)

    async def _close_unused(self, but: SharedEngine | None = None) -> None:
        for key, shared in list(self._engines.items()):
            if not shared.users and shared is not but:
                del self._engines[key]
                await shared.engine.close()

    async def _answer(
        self, connection: _Connection, number: int, message: dict[str, Any], writer: asyncio.StreamWriter
    ) -> None:
        operations: dict[str, Callable[..., _Replies]] = {
            "start": self._start,
            "add": self._add,
            "remove": self._remove,
            "encode": self._encode,
            "stream": self._stream,
            "tokens": self._tokens,
        }
        try:
            async for reply in operations[message.pop("op")](connection, **message):
                wire.write(writer, {"id": number, **reply})
                await writer.drain()
        except ConnectionError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller waits for a reply
            log.warning("call.failed", **{"error.type": type(error).__name__})
            with suppress(ConnectionError):
                wire.write(writer, wire.failure(number, error))

    async def _start(
        self, connection: _Connection, weights: str, tokenizer: str, signed: dict[str, str] | None = None
    ) -> _Replies:
        async with self._starting:
            key = f"{weights} {json.dumps(signed, sort_keys=True)}"
            if key not in self._engines:
                await self._close_unused()
                await asyncio.to_thread(_verify, Path(weights), signed or {})
                module = import_module(f"serving.engines.{self._module}")
                engine = await module.start(BaseModel(Path(weights), Path(tokenizer)), self._options)
                self._engines[key] = SharedEngine(engine)
            shared = self._newest = connection.shared = self._engines[key]
            shared.users.add(connection)
        yield {"context_tokens": shared.engine.context_tokens}

    async def _add(self, connection: _Connection, version: str, folder: str, system: str) -> _Replies:
        await connection.running.add(connection, Adapter(version, Path(folder), system))
        yield {}

    async def _remove(self, connection: _Connection, version: str) -> _Replies:
        await connection.running.remove(connection, version)
        yield {}

    async def _encode(self, connection: _Connection, messages: Any) -> _Replies:
        yield {"ids": await connection.running.engine.encode(messages)}

    async def _stream(self, connection: _Connection, job: dict[str, Any]) -> _Replies:
        async with aclosing(connection.running.engine.stream(Job(**job))) as pieces:
            async for piece in pieces:
                yield {
                    "text": piece.text,
                    "completion_tokens": piece.completion_tokens,
                    "finish_reason": piece.finish_reason,
                }

    async def _tokens(self, connection: _Connection, job: dict[str, Any]) -> _Replies:
        async with aclosing(connection.running.engine.tokens(Job(**job))) as tokens:
            async for item in tokens:
                yield {"ids": item.ids, "finish_reason": item.finish_reason}


def _verify(weights: Path, signed: dict[str, str]) -> None:
    """Raise CorruptArtifactError unless the files have the hashes that a release was signed with."""
    changed = [name for name, sha256 in signed.items() if not _is_file(weights / name, sha256)]
    if changed:
        raise CorruptArtifactError(
            f"{weights}: {', '.join(changed)}: not what the release was signed with; import the model again"
        )


def _is_file(path: Path, sha256: str) -> bool:
    return path.is_file() and digests.of_file(path) == sha256


async def _end(tasks: set["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(set(tasks))


def _forget(calls: dict[int, "asyncio.Task[None]"], number: int, _: "asyncio.Task[None]") -> None:
    calls.pop(number, None)


async def run(path: Path, module: str, options: EngineOptions) -> None:
    """Listen until told to stop."""
    server = EngineServer(module, options)
    path.unlink(missing_ok=True)
    mask = os.umask(0o177)  # the socket is its owner's alone
    listening = await asyncio.start_unix_server(server.serve, path, limit=wire.LONGEST_LINE)
    os.umask(mask)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    log.info("engine.listening", socket=str(path), engine=module)
    await ended.wait()
    listening.close()  # no `wait_closed`: since Python 3.12 it waits for the other side of every connection
    await server.close()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m serving.processes.engine")
    parser.add_argument("socket", type=Path)
    parser.add_argument("--tokenizer-only", action="store_true")
    parser.add_argument("--ends-with-parent", action="store_true")
    given = parser.parse_args()
    if given.ends_with_parent:
        lifeline.end_with_parent()
    settings = ServingSettings()
    logs.configure(settings.platform.log_format)
    uvloop.run(run(given.socket, "tokenizer" if given.tokenizer_only else settings.engine, settings.engine_options))


if __name__ == "__main__":
    main()
