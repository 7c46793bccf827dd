"""`python -m serving.engine_server SOCKET`: an engine, or only its tokenizer, as a process of its own.

The engine is the one that `LLMOPS_SERVING_ENGINE` names; with `--tokenizer-only` no model is loaded. The service
reaches it by `LLMOPS_SERVING_ENGINE=remote` and `LLMOPS_SERVING_ENGINE_SOCKET=SOCKET` (or `…_TOKENIZER_SOCKET`). Runs
until SIGTERM or SIGINT; answers under way end then.
"""

import argparse
import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog

from llmops import logs
from serving.engines import wire
from serving.engines.contract import Adapter, BaseModel, Engine, EngineOptions, Job
from serving.settings import ServingSettings

_Replies = AsyncGenerator[dict[str, Any], None]
log = structlog.get_logger()


class EngineServer:
    """One engine for any number of connections."""

    def __init__(self, module: str, options: EngineOptions) -> None:
        self._module, self._options = module, options
        self._engine: Engine | None = None
        self._base: dict[str, str] = {}
        self._starting = asyncio.Lock()
        self._loaded: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the calls of one connection, side by side, until it closes."""
        calls: dict[int, asyncio.Task[None]] = {}
        try:
            while (message := await wire.read(reader)) is not None:
                number = message.pop("id")
                if message["op"] == "cancel":
                    if number in calls:
                        calls[number].cancel()
                    continue
                calls[number] = asyncio.create_task(self._answer(number, message, writer))
                calls[number].add_done_callback(partial(_forget, calls, number))
        except ConnectionError:
            pass
        finally:
            for task in list(calls.values()):
                task.cancel()
            writer.close()

    async def close(self) -> None:
        """End the engine."""
        if self._engine is not None:
            await self._engine.close()

    async def _answer(self, number: int, message: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        operations: dict[str, Callable[..., _Replies]] = {
            "start": self._start,
            "add": self._add,
            "remove": self._remove,
            "encode": self._encode,
            "stream": self._stream,
        }
        try:
            async for reply in operations[message.pop("op")](**message):
                wire.write(writer, {"id": number, **reply})
                await writer.drain()
        except ConnectionError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller waits for a reply
            log.warning("call.failed", **{"error.type": type(error).__name__})
            with suppress(ConnectionError):
                wire.write(writer, wire.failure(number, error))

    async def _start(self, weights: str, tokenizer: str) -> _Replies:
        base = {"weights": weights}
        async with self._starting:
            if self._engine is None or base != self._base:
                if self._engine is not None:
                    await self._engine.close()
                module = import_module(f"serving.engines.{self._module}")
                self._engine = await module.start(BaseModel(Path(weights), Path(tokenizer)), self._options)
                self._base, self._loaded = base, set()
        yield {"context_tokens": self._running.context_tokens}

    async def _add(self, version: str, folder: str, system: str) -> _Replies:
        async with self._starting:
            if version not in self._loaded:
                await self._running.add(Adapter(version, Path(folder), system))
                self._loaded.add(version)
        yield {}

    async def _remove(self, version: str) -> _Replies:
        async with self._starting:
            if version in self._loaded:
                self._loaded.discard(version)
                await self._running.remove(version)
        yield {}

    async def _encode(self, messages: Any) -> _Replies:
        yield {"ids": await self._running.encode(messages)}

    async def _stream(self, job: dict[str, Any]) -> _Replies:
        source = self._running.stream(Job(**job))
        try:
            async for piece in source:
                yield {
                    "text": piece.text,
                    "completion_tokens": piece.completion_tokens,
                    "finish_reason": piece.finish_reason,
                }
        finally:
            await source.aclose()

    @property
    def _running(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("no base model is loaded; `start` comes first")
        return self._engine


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
    async with listening:
        await ended.wait()
    await server.close()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m serving.engine_server")
    parser.add_argument("socket", type=Path)
    parser.add_argument("--tokenizer-only", action="store_true")
    given = parser.parse_args()
    settings = ServingSettings()
    logs.configure(settings.platform.log_format)
    asyncio.run(run(given.socket, "tokenizer" if given.tokenizer_only else settings.engine, settings.engine_options))


if __name__ == "__main__":
    main()
