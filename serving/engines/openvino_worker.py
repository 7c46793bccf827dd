"""The process in which OpenVINO GenAI generates: it batches whatever is asked for, token by token.

GenAI's `step` holds Python's interpreter lock, so it must not share a process with an event loop.
"""

import os
import signal
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import openvino
import openvino_genai

from serving.engines.contract import FinishReason, Job

_FINISHED: dict[str, FinishReason] = {"STOP": "stop", "LENGTH": "length"}
_LOWEST_TEMPERATURE = 0.01
"""Below it sampling is greedy: dividing logits by less would overflow."""


@dataclass(frozen=True)
class WorkerConfig:
    """What the process needs to know."""

    model: str
    """Folder of the OpenVINO model."""
    ends: list[int]
    """Ids that end an answer."""
    threads: int | None
    cache_gib: int
    max_batch_tokens: int
    """Tokens of all requests together in one step."""


@dataclass
class _Worker:
    pipeline: Any
    config: WorkerConfig
    connection: Connection
    running: dict[int, Any] = field(default_factory=dict)
    """GenAI's handles by the number of their job."""

    def serve(self) -> None:
        """Take jobs and cancellations, step, tell of new tokens; until the other side closes or says None."""
        while True:
            while self.connection.poll(None if not self.running else 0):
                try:
                    message = self.connection.recv()
                except EOFError:
                    return
                if message is None:
                    return
                self._take(*message)
            if self.running:
                self.pipeline.step()
            news = [item for number in list(self.running) for item in self._read(number)]
            if news:
                self.connection.send(news)

    def _take(self, number: int, job: Job | None) -> None:
        """A job to start, or None for one that nobody waits for any more."""
        if job is None:
            handle = self.running.pop(number, None)
            if handle is not None:
                handle.cancel()
            return
        prompt = openvino.Tensor(np.array([job.prompt], dtype=np.int64))
        self.running[number] = self.pipeline.add_request(number, prompt, _generation(job, self.config.ends))

    def _read(self, number: int) -> list[tuple[int, list[int], FinishReason | None]]:
        """What a request has generated since it was last read."""
        handle = self.running[number]
        if not handle.can_read():
            return []
        (output,) = handle.read().values()
        reason = _FINISHED.get(output.finish_reason.name)
        if reason is not None:
            del self.running[number]
        return [(number, list(output.generated_ids), reason)]


def run(connection: Connection, config: WorkerConfig) -> None:
    """Load the model, say `ready`, and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the service ends this process itself
    os.nice(1)  # the event loop, which has little to do, goes first
    pipeline = _load(config)
    connection.send("ready")
    _Worker(pipeline, config, connection).serve()


def _load(config: WorkerConfig) -> Any:
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size = config.cache_gib
    scheduler.max_num_batched_tokens = config.max_batch_tokens
    scheduler.dynamic_split_fuse = True
    properties: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
    if config.threads is not None:
        properties["INFERENCE_NUM_THREADS"] = config.threads
    return openvino_genai.ContinuousBatchingPipeline(config.model, scheduler, "CPU", properties)


def _generation(job: Job, ends: list[int]) -> Any:
    """Greedy or plain temperature sampling."""
    generation = openvino_genai.GenerationConfig()
    generation.max_new_tokens = job.max_new_tokens
    generation.stop_token_ids = set(ends)
    generation.eos_token_id = ends[0]
    generation.do_sample = job.temperature >= _LOWEST_TEMPERATURE
    if generation.do_sample:
        generation.temperature, generation.top_p, generation.rng_seed = job.temperature, job.top_p, job.seed
    return generation
