"""An engine in another process, behind a Unix socket (`python -m serving.processes.engine`; see `engines.wire`).

The API process then holds no model: it can be restarted, or run several times, beside one engine. Releases are still
verified here, but for the base model's weights: the engine's process hashes them before it loads them, once for all.
It reads the releases' files, so both see the same disk. Conversations are tokenised there too, or in a third process
with a socket of its own (`LLMOPS_SERVING_TOKENIZER_SOCKET`), or here (`LLMOPS_SERVING_OWN_TOKENIZER`), and answers
decoded here as well: that leaves ids alone to the engine's event loop, and costs this process a tokenizer's memory.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from llmops.annotation.prompts import Message
from llmops.errors import ConfigurationError
from serving.engines import wire
from serving.engines.contract import (
    Adapter,
    BaseModel,
    EngineDiedError,
    EngineOptions,
    EngineStats,
    Job,
    Piece,
    Tokens,
)


async def start(base: BaseModel, options: EngineOptions) -> "RemoteEngine":
    """Connect, and have the engine load the base model; ConfigurationError when nobody listens."""
    if options.socket is None:
        raise ConfigurationError("engine `remote` needs LLMOPS_SERVING_ENGINE_SOCKET, the socket of its process")
    call = {"weights": str(base.weights), "tokenizer": str(base.tokenizer), "signed": dict(base.signed)}
    engine = await _Connection.open(options.socket)
    try:
        told = await engine.call("start", **call)
        encoder = await _open_encoder(engine, base, options)
    except BaseException:
        await engine.close()
        raise
    return RemoteEngine(engine, encoder, told["context_tokens"])


async def _open_encoder(engine: "_Connection", base: BaseModel, options: EngineOptions) -> "_Connection | _Tokenizer":
    if options.own_tokenizer:
        own = import_module("serving.engines.tokenizer")  # by name: only who tokenises pays for the library
        tokenizer: _Tokenizer = await own.start(base, options)
        return tokenizer
    if options.tokenizer_socket is None:
        return engine
    connection = await _Connection.open(options.tokenizer_socket)
    await connection.call("start", weights=str(base.weights), tokenizer=str(base.tokenizer))
    return connection


class _Tokenizer(Protocol):
    """`serving.engines.tokenizer.TokenizerOnly`."""

    async def encode(self, messages: Sequence[Message]) -> list[int]: ...

    def decode(self, tokens: AsyncGenerator[Tokens, None]) -> AsyncGenerator[Piece, None]: ...

    async def close(self) -> None: ...


class RemoteEngine:
    """The near end; see `serving.engines.contract.Engine`."""

    def __init__(self, engine: "_Connection", encoder: "_Connection | _Tokenizer", context_tokens: int) -> None:
        self.context_tokens = context_tokens
        self._engine, self._encoder = engine, encoder
        self._running = 0

    async def add(self, adapter: Adapter) -> None:
        """Have the release loaded there."""
        await self._engine.call("add", version=adapter.version, folder=str(adapter.folder), system=adapter.system)

    async def remove(self, version: str) -> None:
        """Have it unloaded."""
        await self._engine.call("remove", version=version)

    async def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation up to the assistant's turn, rendered as in training."""
        return await self._encoder.encode(messages)

    async def tokens(self, job: Job) -> AsyncGenerator[Tokens, None]:
        """Pass the ids on."""
        async with aclosing(self._replies("tokens", job)) as replies:
            async for reply in replies:
                yield Tokens(reply["ids"], reply["finish_reason"])

    def stream(self, job: Job) -> AsyncGenerator[Piece, None]:
        """Text, decoded wherever conversations are encoded."""
        return self._pieces(job) if isinstance(self._encoder, _Connection) else self._encoder.decode(self.tokens(job))

    async def _pieces(self, job: Job) -> AsyncGenerator[Piece, None]:
        async with aclosing(self._replies("stream", job)) as replies:
            async for reply in replies:
                yield Piece(reply["text"], reply["completion_tokens"], reply["finish_reason"])

    async def _replies(self, op: str, job: Job) -> AsyncGenerator[dict[str, Any], None]:
        """What the engine says up to the end of the answer; left early, the call is cancelled."""
        self._running += 1
        number, replies = self._engine.begin(op, job={**asdict(job), "prompt": list(job.prompt)})
        is_ended = False
        try:
            while not is_ended:
                reply = await replies.get()
                is_ended = "error" in reply or reply["finish_reason"] is not None
                wire.raise_failure(reply)
                yield reply
        finally:
            self._running -= 1
            self._engine.end(number, cancel=not is_ended)

    def stats(self) -> EngineStats:
        """How busy this process keeps it."""
        connections = [item for item in (self._engine, self._encoder) if isinstance(item, _Connection)]
        return EngineStats(self._running, all(connection.is_alive for connection in connections))

    async def close(self) -> None:
        """Hang up; the engine's process goes on."""
        for item in {self._engine, self._encoder}:
            await item.close()


class _Connection:
    """Calls over one socket, and their replies."""

    def __init__(self, path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._path, self._reader, self._writer = path, reader, writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[dict[str, Any]]] = {}
        self._is_dead = False
        self._task = asyncio.create_task(self._receive())

    @classmethod
    async def open(cls, path: Path) -> "_Connection":
        try:
            reader, writer = await asyncio.open_unix_connection(path, limit=wire.LONGEST_LINE)
        except OSError as error:
            raise ConfigurationError(
                f"{path}: nobody listens ({error.strerror}); start `python -m serving.processes.engine` there first"
            ) from error
        return cls(path, reader, writer)

    @property
    def is_alive(self) -> bool:
        """Whether the other side is there."""
        return not self._is_dead

    async def call(self, op: str, **fields: Any) -> dict[str, Any]:
        """A call with one reply."""
        number, replies = self.begin(op, **fields)
        try:
            reply = await replies.get()
        finally:
            self.end(number, cancel=False)
        wire.raise_failure(reply)
        return reply

    async def encode(self, messages: Sequence[Message]) -> list[int]:
        """Have a conversation tokenised there."""
        ids: list[int] = (await self.call("encode", messages=list(messages)))["ids"]
        return ids

    def begin(self, op: str, **fields: Any) -> tuple[int, asyncio.Queue[dict[str, Any]]]:
        """A call, and where its replies arrive."""
        if self._is_dead:
            raise EngineDiedError(f"{self._path}: the engine's process has ended")
        number = next(self._numbers)
        self._waiting[number] = asyncio.Queue()
        wire.write(self._writer, {"id": number, "op": op, **fields})
        return number, self._waiting[number]

    def end(self, number: int, *, cancel: bool) -> None:
        """Nobody waits for this call any more."""
        self._waiting.pop(number, None)
        if cancel and not self._is_dead:
            wire.write(self._writer, {"id": number, "op": "cancel"})

    async def close(self) -> None:
        """Hang up."""
        self._is_dead = True
        self._task.cancel()
        self._writer.close()
        await asyncio.wait({self._task})

    async def _receive(self) -> None:
        try:
            while (reply := await wire.read(self._reader)) is not None:
                if reply["id"] in self._waiting:
                    self._waiting[reply["id"]].put_nowait(reply)
        except ConnectionError:
            pass
        self._is_dead = True
        gone = EngineDiedError(f"{self._path}: the engine's process has ended")
        for number, replies in self._waiting.items():
            replies.put_nowait(wire.failure(number, gone))
