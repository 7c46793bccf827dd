"""Answers with OpenVINO GenAI on the CPU: requests are batched token by token, in a process of their own.

The release's adapter is merged into the float32 weights, so the answers are those of transformers, several times as
many of them (docs/adr/0009). Loading converts the model anew, which takes some 20 seconds for 135 million parameters.
"""

import asyncio
import itertools
import json
import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import structlog
from transformers import AutoConfig, AutoTokenizer, GenerationConfig

from llmops.annotation import prompts
from llmops.annotation.prompts import Message
from llmops.errors import ConfigurationError, CorruptArtifactError
from serving.engines.contract import BusyError, EngineDiedError, EngineStats, Job, Piece, Variant
from serving.engines.openvino_worker import WorkerConfig, run
from serving.engines.pieces import Feed, Tokens, read_pieces
from serving.releases import ServedRelease

_PROBE = "How long does the delivery take?"
_CACHE_GIB = 1
_MAX_BATCH_TOKENS = 2048
_STOP_SECONDS = 5.0
log = structlog.get_logger()


def load(release: ServedRelease, *, queue_size: int, threads: int | None) -> "OpenVinoEngine":
    """Convert the release, start the process and prove that it answers as PyTorch does.

    `queue_size` bounds the requests that run or wait. Raises CorruptArtifactError when the adapter changes nothing,
    ConfigurationError when the model cannot be converted or OpenVINO answers otherwise.
    """
    tokenizer = AutoTokenizer.from_pretrained(release.folder, local_files_only=True, trust_remote_code=False)
    probe = prompts.encode_prompt(tokenizer, prompts.chat_messages(release.record.system, _PROBE))
    with tempfile.TemporaryDirectory(prefix="llmops-openvino-") as folder:
        expected = _export(release, Path(folder), probe)
        version = release.record.version
        if not expected["adapter_changes_logits"]:
            raise CorruptArtifactError(f"release {version}: its adapter changes nothing; train and publish again")
        models: dict[Variant, str] = {"champion": f"{folder}/champion", "base": f"{folder}/base"}
        ends = _end_ids(release.base, tokenizer)
        connection, process = _start(WorkerConfig(models, ends, threads, _CACHE_GIB, _MAX_BATCH_TOKENS))
    given = {variant: _ask(connection, probe, variant, len(answer)) for variant, answer in expected["answers"].items()}
    if given != {variant: _until_end(answer, ends) for variant, answer in expected["answers"].items()}:
        process.kill()
        raise ConfigurationError(
            f"release {version}: OpenVINO's greedy answers differ from PyTorch's; "
            "serve it with LLMOPS_SERVING_ENGINE=transformers"
        )
    log.info("engine.loaded", version=version, device="cpu", threads=threads)
    context_tokens = AutoConfig.from_pretrained(release.base, local_files_only=True).max_position_embeddings
    return OpenVinoEngine(release, tokenizer, context_tokens, connection, process, queue_size)


class OpenVinoEngine:
    """A loaded model behind a bounded queue; see `serving.engines.contract.Engine`.

    Everything but `close` is called from one event loop, which alone touches the requests under way.
    """

    def __init__(
        self,
        release: ServedRelease,
        tokenizer: Any,
        context_tokens: int,
        connection: Connection,
        process: Any,
        queue_size: int,
    ) -> None:
        record = release.record
        self.versions: dict[Variant, str] = {"champion": record.version, "base": f"base-{record.base.digest[:8]}"}
        self.context_tokens = context_tokens
        self._tokenizer, self._connection, self._process = tokenizer, connection, process
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._numbers = itertools.count(1)
        self._feeds: dict[int, Feed] = {}
        self._queue_size, self._is_watched, self._is_dead = queue_size, False, False

    async def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation up to the assistant's turn, rendered as in training."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._encoder, prompts.encode_prompt, self._tokenizer, messages)

    async def stream(self, job: Job) -> AsyncGenerator[Piece, None]:
        """Hand the job to the process and pass its tokens on; left early, the process is told to stop."""
        if self._is_dead:
            raise EngineDiedError("the engine's process has ended")
        if len(self._feeds) >= self._queue_size:
            raise BusyError(f"{self._queue_size} requests run or wait already")
        if not self._is_watched:
            asyncio.get_running_loop().add_reader(self._connection.fileno(), self._receive)
            self._is_watched = True
        number, feed = next(self._numbers), Feed()
        self._feeds[number] = feed
        is_ended = False
        try:
            self._send(number, job)
            async for piece in read_pieces(feed, self._tokenizer):
                is_ended = piece.finish_reason is not None
                yield piece
        finally:
            del self._feeds[number]
            if not is_ended and not self._is_dead:
                self._send(number, None)

    def stats(self) -> EngineStats:
        """How busy it is now."""
        return EngineStats(len(self._feeds), self._queue_size)

    def close(self) -> None:
        """End the process; what runs there is lost."""
        self._is_dead = True
        self._encoder.shutdown()
        self._process.terminate()
        self._process.join(_STOP_SECONDS)
        self._process.kill()

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
            if number in self._feeds:  # else nobody waits for it any more
                self._feeds[number].put_nowait(Tokens(ids, reason))

    def _die(self) -> None:
        if self._is_dead:
            return
        self._is_dead = True
        asyncio.get_running_loop().remove_reader(self._connection.fileno())
        log.error("engine.died", exit_code=self._process.exitcode, lost=len(self._feeds))
        for feed in self._feeds.values():
            feed.put_nowait(EngineDiedError("the engine's process has ended"))


def _export(release: ServedRelease, target: Path, probe: list[int]) -> Any:
    """Convert base and tuned model in a process of its own, which takes PyTorch's memory with it."""
    job = {"base": str(release.base), "adapter": str(release.folder), "target": str(target), "probe": probe}
    command = [sys.executable, "-m", "serving.engines.openvino_export"]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigurationError(
            f"release {release.record.version}: cannot be converted for OpenVINO; serve it with "
            f"LLMOPS_SERVING_ENGINE=transformers. The end of the converter's words:\n{done.stderr[-2000:]}"
        )
    return json.loads((target / "expected.json").read_text())


def _start(config: WorkerConfig) -> tuple[Connection, Any]:
    """The process, once it has loaded the models: their files may go then."""
    context = multiprocessing.get_context("spawn")
    connection, other = context.Pipe()
    process = context.Process(target=run, args=(other, config), daemon=True)
    process.start()
    other.close()
    try:
        connection.recv()
    except EOFError as error:
        raise ConfigurationError("OpenVINO cannot load the model; its words are in this process's output") from error
    return connection, process


def _ask(connection: Connection, probe: list[int], variant: Variant, tokens: int) -> list[int]:
    """The greedy answer to the probe, before anybody else asks."""
    connection.send((0, Job(probe, variant, max_new_tokens=tokens, temperature=0.0, seed=0)))
    answer: list[int] = []
    while True:
        for _, ids, reason in connection.recv():
            answer += ids
            if reason is not None:
                return answer


def _until_end(answer: list[int], ends: list[int]) -> list[int]:
    """The answer with its first end token, as generation would have left it."""
    first = next((place for place, token in enumerate(answer) if token in ends), len(answer))
    return answer[: first + 1]


def _end_ids(base: Path, tokenizer: Any) -> list[int]:
    """Ids that end an answer: the tokenizer's end token, which training taught, and the base model's own."""
    own = GenerationConfig.from_pretrained(base, local_files_only=True).eos_token_id
    return sorted({tokenizer.eos_token_id, *(own if isinstance(own, list) else [own] if own is not None else [])})
