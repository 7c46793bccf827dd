"""One model in a process of its own, seen from the event loop: jobs go in, their tokens come back."""

import asyncio
import itertools
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import structlog

from llmops.errors import ConfigurationError
from serving.engines.contract import EngineDiedError, Job, Tokens
from serving.engines.openvino_worker import WorkerConfig, run
from serving.engines.pieces import Feed

_STOP_SECONDS = 5.0
log = structlog.get_logger()


class OpenVinoModel:
    """The near end of the pipe to a model's process. Belongs to the event loop that started it."""

    def __init__(self, version: str, connection: Connection, process: Any) -> None:
        self.process_id: int = process.pid
        self._version, self._connection, self._process = version, connection, process
        self._numbers = itertools.count(1)
        self._feeds: dict[int, Feed] = {}
        self._is_dead = False
        asyncio.get_running_loop().add_reader(connection.fileno(), self._receive)

    @classmethod
    async def start(cls, version: str, config: WorkerConfig) -> "OpenVinoModel":
        """The process, once it has loaded the model: its files may go then.

        Raises ConfigurationError when it cannot.
        """
        connection, process = await asyncio.to_thread(_start, version, config)
        return cls(version, connection, process)

    @property
    def is_alive(self) -> bool:
        """Whether its process answers."""
        return not self._is_dead

    @property
    def jobs(self) -> int:
        """Jobs that run or wait."""
        return len(self._feeds)

    @contextmanager
    def running(self, job: Job) -> Iterator[Feed]:
        """Within this context the job runs and its tokens arrive; left before its end, it is stopped."""
        if self._is_dead:
            raise EngineDiedError("the engine's process has ended")
        number, feed = next(self._numbers), Feed()
        self._feeds[number] = feed
        try:
            self._send(number, job)
            yield feed
        finally:
            if self._feeds.pop(number, None) is not None and not self._is_dead:
                self._send(number, None)

    async def close(self) -> None:
        """End the process; what runs there is lost."""
        if not self._is_dead:
            self._is_dead = True
            asyncio.get_running_loop().remove_reader(self._connection.fileno())
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self._process.terminate()
        self._process.join(_STOP_SECONDS)
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _send(self, number: int, job: Job | None) -> None:
        try:
            self._connection.send((number, job))
        except OSError as error:
            self._die()
            raise EngineDiedError("the engine's process has ended") from error

    def _receive(self) -> None:
        """Distribute what the process tells; called by the event loop when there is something."""
        try:
            news = self._connection.recv()
        except (EOFError, OSError):
            self._die()
            return
        for number, ids, reason in news:
            if number not in self._feeds:
                continue  # nobody waits for it any more
            self._feeds[number].put_nowait(Tokens(ids, reason))
            if reason is not None:
                del self._feeds[number]

    def _die(self) -> None:
        if self._is_dead:
            return
        self._is_dead = True
        asyncio.get_running_loop().remove_reader(self._connection.fileno())
        log.error("engine.died", version=self._version, exit_code=self._process.exitcode, lost=len(self._feeds))
        for feed in self._feeds.values():
            feed.put_nowait(EngineDiedError("the engine's process has ended"))
        self._feeds.clear()


def _start(version: str, config: WorkerConfig) -> tuple[Connection, Any]:
    context = multiprocessing.get_context("spawn")
    connection, other = context.Pipe()
    process = context.Process(target=run, args=(other, config), daemon=True)
    process.start()
    other.close()
    try:
        connection.recv()
    except EOFError as error:
        raise ConfigurationError(
            f"release {version}: OpenVINO cannot load it; its words are in this process's output"
        ) from error
    return connection, process
