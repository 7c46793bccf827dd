"""Several API processes beside one engine, on one port (`LLMOPS_SERVING_PROCESSES`), and their supervisor.

    supervisor ── engine      `python -m serving.processes.engine`, on a socket in a folder that only we may open
               └─ API, API …  `python -m serving.processes.api`, on the same port

An API process that ends by itself is replaced: it holds no model. The engine's end, or that the first API process finds
nothing that it can serve, ends everything. So does an API process that has nothing to serve any more while no other one
has. All end with this process, also if it is killed (see `serving.processes.lifeline`); each is in a session of its
own, so that Ctrl-C comes to this process alone. Not uvicorn's supervisor: it knows one kind of process, replaces one
that fails at once and for ever, kills one that does not answer in five seconds, and leaves them all behind when it is
killed.
"""

import asyncio
import json
import math
import os
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import structlog
from prometheus_client.multiprocess import mark_process_dead

from llmops.errors import ConfigurationError
from serving.processes import ports
from serving.settings import ServingSettings

_SETTLED_SECONDS = 60.0
"""A process that has lived that long is replaced at once."""
_LONGEST_PAUSE_SECONDS = 30.0
_CLOSING_SECONDS = 20.0
"""How long a process may take to write what waits and free what it holds, after its answers."""
log = structlog.get_logger()


def supervise(settings: ServingSettings) -> str | None:
    """Serve until SIGTERM or SIGINT; the reason, if it ended without.

    Raises ConfigurationError when the port is taken, or rates would be counted by each process for itself.
    """
    _require_shared_limits(settings)
    with (
        ports.reserve(settings.host, settings.port) as reserved,
        tempfile.TemporaryDirectory(prefix="llmops-serving-") as folder,
    ):
        return asyncio.run(_Supervisor(settings, reserved.getsockname()[1], Path(folder)).run())


def _require_shared_limits(settings: ServingSettings) -> None:
    if not settings.platform.access_limit_storage.partition("://")[0].endswith("memory"):
        return
    if settings.platform.environment != "development":
        raise ConfigurationError(
            f"LLMOPS_SERVING_PROCESSES={settings.processes}: each process would count requests and tokens for itself, "
            "and an account get as many times its limits; set LLMOPS_ACCESS_LIMIT_STORAGE=async+redis://HOST:6379, or "
            "serve with one process"
        )
    log.warning("limits.counted_apart", processes=settings.processes)


@dataclass(eq=False)
class _Api:
    """An API process, and what it has told."""

    process: asyncio.subprocess.Process
    is_loaded: bool = False
    failure: str | None = None

    async def listen(self) -> None:
        """Take down what it tells until it ends."""
        assert self.process.stdout is not None  # noqa: S101 - it was started with one
        async for line in self.process.stdout:
            if not line.startswith(b"{"):  # whatever a library printed while it was imported
                continue
            told = json.loads(line)
            self.is_loaded = self.is_loaded or "loaded" in told
            self.failure = told.get("failed")
            if self.is_loaded:
                return


class _Supervisor:
    """The processes of one service."""

    def __init__(self, settings: ServingSettings, port: int, folder: Path) -> None:
        self._settings, self._port, self._folder = settings, port, folder
        self._socket = folder / "engine"
        self._engine: asyncio.subprocess.Process | None = None
        self._apis: set[_Api] = set()
        self._began = asyncio.Event()  # an API process has loaded the champion
        (folder / "metrics").mkdir()
        self._variables = {
            "LLMOPS_SERVING_PORT": str(port),
            "LLMOPS_SERVING_OWN_TOKENIZER": str(settings.tokenizer_socket is None),
            "LLMOPS_SERVING_QUEUE_SIZE": str(math.ceil(settings.queue_size / settings.processes)),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),  # read by prometheus_client when it is imported
        }
        if settings.engine != "remote":
            self._variables |= {
                "LLMOPS_SERVING_ENGINE": "remote",
                "LLMOPS_SERVING_ENGINE_SOCKET": str(self._socket),
            }

    async def run(self) -> str | None:
        """Keep them running until told to stop, or it is no use."""
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        stopping = asyncio.create_task(stopped.wait())
        ends = [asyncio.create_task(self._keep_engine())] if self._settings.engine != "remote" else []
        ends += [asyncio.create_task(self._keep_api(is_first=n == 0)) for n in range(self._settings.processes)]
        try:
            await asyncio.wait([stopping, *ends], return_when=asyncio.FIRST_COMPLETED)
            reasons = [task.result() for task in ends if task.done()]
            return reasons[0] if reasons and not stopping.done() else None
        finally:
            for task in [stopping, *ends]:
                task.cancel()
            await asyncio.wait([stopping, *ends])
            drain = math.ceil(self._settings.request_timeout_seconds) + 1 + _CLOSING_SECONDS
            await _end([api.process for api in self._apis], drain)
            if self._engine is not None:
                await _end([self._engine], _CLOSING_SECONDS)
                with suppress(ProcessLookupError):  # what it had started itself, if it was killed
                    os.killpg(self._engine.pid, signal.SIGKILL)

    async def _keep_engine(self) -> str:
        """Start the engine; why it ended."""
        arguments = ["serving.processes.engine", str(self._socket), "--ends-with-parent"]
        self._engine = await _start(arguments, {}, stdout=None)
        return f"the engine's process has ended ({_told(await self._engine.wait())}); its own words are above"

    async def _keep_api(self, *, is_first: bool) -> str:
        """Have an API process run, and another one when it ends; the reason, when that is no use."""
        await (self._engine_listens() if is_first else self._began.wait())
        pause = 0.0
        while True:
            since = monotonic()
            api = await self._run_api()
            status = _told(await api.process.wait())
            mark_process_dead(api.process.pid, str(self._folder / "metrics"))  # type: ignore[no-untyped-call] # untyped
            if not self._began.is_set():
                return api.failure or f"an API process ended before it could answer ({status}); its words are above"
            if api.failure and not any(other.is_loaded for other in self._apis):
                return api.failure
            pause = 0.0 if monotonic() - since > _SETTLED_SECONDS else min(2 * pause + 1, _LONGEST_PAUSE_SECONDS)
            log.warning("api.ended", pid=api.process.pid, status=status, reason=api.failure, pause_seconds=pause)
            await asyncio.sleep(pause)

    async def _run_api(self) -> _Api:
        """Start an API process and stay with it until its end."""
        api = _Api(await _start(["serving.processes.api"], self._variables, stdout=asyncio.subprocess.PIPE))
        self._apis.add(api)
        await api.listen()
        if api.is_loaded:
            log.info("api.loaded", pid=api.process.pid)
            if not self._began.is_set():
                ports.tell(self._settings.host, self._port)
            self._began.set()
            await api.listen()
        await api.process.wait()
        self._apis.discard(api)
        return api

    async def _engine_listens(self) -> None:
        """Wait until its socket answers; its end is seen elsewhere, and a socket that is not ours tells by itself."""
        while self._settings.engine != "remote":
            with suppress(OSError):
                _, writer = await asyncio.open_unix_connection(self._socket)
                writer.close()
                return
            await asyncio.sleep(0.05)


async def _start(arguments: list[str], variables: dict[str, str], stdout: int | None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        env={**os.environ, **variables},
        stdin=asyncio.subprocess.PIPE,
        stdout=stdout,
        start_new_session=True,
    )


async def _end(processes: list[asyncio.subprocess.Process], within_seconds: float) -> None:
    """SIGTERM, and SIGKILL for what does not follow in time."""
    running = [process for process in processes if process.returncode is None]
    if not running:
        return
    for process in running:
        process.terminate()
    waiting = [asyncio.create_task(process.wait()) for process in running]
    _, late = await asyncio.wait(waiting, timeout=within_seconds)
    for process in running:
        if process.returncode is None:
            log.warning("process.killed", pid=process.pid, waited_seconds=within_seconds)
            process.kill()
    if late:
        await asyncio.wait(late)


def _told(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"status {status}"
