"""Answers with OpenVINO GenAI on the CPU: jobs are batched token by token, each model in a process of its own.

A release's adapter is merged into the float32 weights, so the answers are those of transformers, several times as many
of them (docs/adr/0009). Loading converts the model anew, which takes some 15 seconds for 135 million parameters.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import structlog

from llmops.annotation.prompts import Message
from llmops.errors import ConfigurationError, CorruptArtifactError
from serving.engines.contract import Adapter, BaseModel, EngineOptions, EngineStats, Job, Piece, Tokens
from serving.engines.encoding import Encoder
from serving.engines.openvino_model import OpenVinoModel
from serving.engines.openvino_worker import WorkerConfig
from serving.engines.pieces import decoded, read_feed

_MAX_BATCH_TOKENS = 2048
log = structlog.get_logger()


async def start(base: BaseModel, options: EngineOptions) -> "OpenVinoEngine":
    """Read the tokenizer; models are converted when they are added, the base model when it is first asked."""
    return OpenVinoEngine(base, await asyncio.to_thread(Encoder, base), options)


class OpenVinoEngine:
    """A process for each model; see `serving.engines.contract.Engine`."""

    def __init__(self, base: BaseModel, encoder: Encoder, options: EngineOptions) -> None:
        self.context_tokens = encoder.context_tokens
        self._base, self._encoder, self._options = base, encoder, options
        self._models: dict[str | None, OpenVinoModel] = {}
        self._base_lock = asyncio.Lock()

    async def add(self, adapter: Adapter) -> None:
        """Convert base and adapter together, start their process and prove that it answers as PyTorch does."""
        self._models[adapter.version] = await self._load(adapter.version, adapter.folder, adapter.system)

    async def remove(self, version: str) -> None:
        """End the release's process."""
        await self._models.pop(version).close()

    async def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation up to the assistant's turn, rendered as in training."""
        return await self._encoder.encode(messages)

    async def tokens(self, job: Job) -> AsyncGenerator[Tokens, None]:
        """Hand the job to its model's process and pass the tokens on; left early, the process is told to stop."""
        model = self._models.get(job.version) or await self._load_base()
        with model.running(job) as feed:
            async for item in read_feed(feed):
                yield item

    def stream(self, job: Job) -> AsyncGenerator[Piece, None]:
        """The same as text."""
        return decoded(self.tokens(job), self._encoder.tokenizer)

    def stats(self) -> EngineStats:
        """How busy it is now."""
        models = self._models.values()
        return EngineStats(sum(model.jobs for model in models), all(model.is_alive for model in models))

    async def close(self) -> None:
        """End the processes; what runs there is lost."""
        self._encoder.close()
        await asyncio.gather(*(model.close() for model in self._models.values()))

    async def _load_base(self) -> OpenVinoModel:
        """The base model alone: few ask for it, so it takes its memory when the first one does."""
        async with self._base_lock:
            if None not in self._models:
                self._models[None] = await self._load("base", None, "")
        return self._models[None]

    async def _load(self, version: str, adapter: Path | None, system: str) -> OpenVinoModel:
        probe = self._encoder.probe(system)
        with tempfile.TemporaryDirectory(prefix="llmops-openvino-") as folder:
            expected = await self._export(version, adapter, Path(folder), probe)
            if not expected["adapter_counts"]:
                raise CorruptArtifactError(f"release {version}: its adapter changes nothing; train and publish again")
            options = self._options
            config = WorkerConfig(
                f"{folder}/model", self._encoder.ends, options.threads, options.cache_gib, _MAX_BATCH_TOKENS
            )
            model = await OpenVinoModel.start(version, config)
        if await _ask(model, probe, len(expected["answer"])) != _until_end(expected["answer"], self._encoder.ends):
            await model.close()
            raise ConfigurationError(
                f"release {version}: OpenVINO's greedy answer differs from PyTorch's; "
                "serve it with LLMOPS_SERVING_ENGINE=transformers"
            )
        log.info("release.loaded", version=version, engine="openvino", threads=self._options.threads)
        return model

    async def _export(self, version: str, adapter: Path | None, target: Path, probe: list[int]) -> Any:
        """Convert in a process of its own, which takes PyTorch's memory with it."""
        job = {
            "base": str(self._base.weights),
            "adapter": str(adapter) if adapter else None,
            "target": f"{target}/model",
            "probe": probe,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "serving.engines.openvino_export",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            told, words = await process.communicate(json.dumps(job).encode())
        finally:
            if process.returncode is None:  # cancelled, as the service ends
                process.kill()
        if process.returncode:
            raise ConfigurationError(
                f"release {version}: cannot be converted for OpenVINO; serve it with "
                "LLMOPS_SERVING_ENGINE=transformers. The end of the converter's words:\n"
                + words.decode(errors="replace")[-2000:]
            )
        return json.loads(told.splitlines()[-1])


async def _ask(model: OpenVinoModel, probe: list[int], tokens: int) -> list[int]:
    """The greedy answer to the probe."""
    answer: list[int] = []
    with model.running(Job(probe, None, max_new_tokens=tokens, temperature=0.0, seed=0)) as feed:
        while True:
            news = await feed.get()
            if isinstance(news, Exception):
                raise news
            answer += news.ids
            if news.finish_reason is not None:
                return answer


def _until_end(answer: list[int], ends: list[int]) -> list[int]:
    """The answer with its first end token, as generation would have left it."""
    first = next((place for place, token in enumerate(answer) if token in ends), len(answer))
    return answer[: first + 1]
