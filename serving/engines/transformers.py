"""Answers with transformers and peft: one model, one worker thread that owns it, one answer at a time.

Not covered: batching. Jobs wait for each other; a faster engine is another module with the same contract.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import structlog
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, GenerationConfig, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer
from transformers.utils import logging as transformers_logging

from llmops.annotation.prompts import Message
from llmops.errors import CorruptArtifactError
from serving.engines.contract import Adapter, BaseModel, EngineOptions, EngineStats, FinishReason, Job, Piece, Tokens
from serving.engines.encoding import Encoder
from serving.engines.pieces import Feed, decoded, read_feed

_LOWEST_TEMPERATURE = 0.01
"""Below it sampling is greedy: dividing logits by less would overflow."""
log = structlog.get_logger()


async def start(base: BaseModel, options: EngineOptions) -> "TransformersEngine":
    """Load the base model: float32 on CPU, bfloat16 on a GPU."""
    return await asyncio.to_thread(_load, base, options)


def _load(base: BaseModel, options: EngineOptions) -> "TransformersEngine":
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    on_gpu = torch.cuda.is_available()
    model = AutoModelForCausalLM.from_pretrained(
        base.weights,
        dtype=torch.bfloat16 if on_gpu else torch.float32,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
    )
    model = model.to("cuda" if on_gpu else "cpu").eval()
    log.info("engine.loaded", engine="transformers", device=str(model.device), threads=torch.get_num_threads())
    return TransformersEngine(model, Encoder(base))


class TransformersEngine:
    """A loaded model that one thread owns; see `serving.engines.contract.Engine`."""

    def __init__(self, model: Any, encoder: Encoder) -> None:
        self.context_tokens = encoder.context_tokens
        self._model, self._encoder = model, encoder
        self._adapters: dict[str, str] = {}  # peft's names by version: they must not hold dots
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="generate")
        self._running, self._loaded = 0, 0

    async def add(self, adapter: Adapter) -> None:
        """Load a release when the answers before it are done."""
        await asyncio.get_running_loop().run_in_executor(self._worker, self._add, adapter)

    async def remove(self, version: str) -> None:
        """Delete a release's weights."""
        await asyncio.get_running_loop().run_in_executor(self._worker, self._remove, version)

    async def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation up to the assistant's turn, rendered as in training."""
        return await self._encoder.encode(messages)

    async def tokens(self, job: Job) -> AsyncGenerator[Tokens, None]:
        """Wait for the worker and pass on its tokens. Left before its turn a job never starts, later it stops soon."""
        unwanted, feed, loop = Event(), Feed(), asyncio.get_running_loop()

        def hand_over(tokens: Tokens | Exception) -> None:
            loop.call_soon_threadsafe(feed.put_nowait, tokens)

        self._running += 1
        running = self._worker.submit(self._generate, job, unwanted, hand_over)
        try:
            async for item in read_feed(feed):
                yield item
        finally:
            unwanted.set()
            running.cancel()
            self._running -= 1

    def stream(self, job: Job) -> AsyncGenerator[Piece, None]:
        """The same as text."""
        return decoded(self.tokens(job), self._encoder.tokenizer)

    def stats(self) -> EngineStats:
        """How busy it is now."""
        return EngineStats(self._running)

    async def close(self) -> None:
        """Finish what runs and free the threads."""
        self._encoder.close()
        await asyncio.to_thread(self._worker.shutdown)

    def _add(self, adapter: Adapter) -> None:
        self._loaded += 1
        name = f"release-{self._loaded}"
        if isinstance(self._model, PeftModel):
            self._model.load_adapter(adapter.folder, name, local_files_only=True)
        else:
            self._model = PeftModel.from_pretrained(self._model, adapter.folder, name, local_files_only=True).eval()
        self._adapters[adapter.version] = name
        try:
            self._prove(adapter)
        except CorruptArtifactError:
            self._remove(adapter.version)
            raise
        log.info("release.loaded", version=adapter.version)

    def _prove(self, adapter: Adapter) -> None:
        """Raise CorruptArtifactError when the adapter leaves a fixed prompt's logits as they are.

        An adapter whose weights were not applied answers like the untuned model, and nothing else would show it.
        """
        ids = torch.tensor([self._encoder.probe(adapter.system)], device=self._model.device)
        with torch.inference_mode():
            with self._release(adapter.version):
                tuned = self._model(ids).logits
            with self._release(None):
                untuned = self._model(ids).logits
        if torch.equal(tuned, untuned):
            raise CorruptArtifactError(
                f"release {adapter.version}: its adapter changes nothing; train and publish again"
            )

    def _remove(self, version: str) -> None:
        name = self._adapters.pop(version)
        if len(self._adapters) == 0:
            self._model = self._model.unload()
            return
        self._model.set_adapter(next(iter(self._adapters.values())))
        self._model.delete_adapter(name)

    def _generate(self, job: Job, unwanted: Event, hand_over: Callable[[Tokens | Exception], None]) -> None:
        """Generate in the worker's thread; every token is handed over as it comes, or the reason why none does."""
        try:
            reason = self._run(job, unwanted, _Streamer(hand_over))
        except Exception as error:  # noqa: BLE001 - whatever it is, the request that waits must hear of it
            hand_over(error)
        else:
            hand_over(Tokens([], reason))

    def _run(self, job: Job, unwanted: Event, streamer: "_Streamer") -> FinishReason:
        prompt = torch.tensor([job.prompt], device=self._model.device)

        def is_unwanted(ids: torch.Tensor, *_: Any) -> torch.Tensor:
            return torch.full((ids.shape[0],), unwanted.is_set(), device=ids.device)

        torch.manual_seed(job.seed)  # this thread alone draws random numbers
        with torch.inference_mode(), self._release(job.version):
            output = self._model.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                generation_config=self._generation(job),
                stopping_criteria=StoppingCriteriaList([is_unwanted]),
                streamer=streamer,
            )
        return "stop" if int(output[0, -1]) in self._encoder.ends else "length"

    @contextmanager
    def _release(self, version: str | None) -> Iterator[None]:
        """Within this context the model answers as that release, or as the base model."""
        if version is not None:
            self._model.set_adapter(self._adapters[version])
            yield
        elif self._adapters:
            with self._model.disable_adapter():
                yield
        else:
            yield

    def _generation(self, job: Job) -> GenerationConfig:
        """Greedy or sampled as the job says: the base model's own top-k and top-p defaults stay out of it."""
        sampling = {"do_sample": True, "temperature": job.temperature, "top_k": 0, "top_p": job.top_p}
        return GenerationConfig(
            max_new_tokens=job.max_new_tokens,
            eos_token_id=self._encoder.ends,
            pad_token_id=self._encoder.tokenizer.pad_token_id,
            use_cache=True,
            **(sampling if job.temperature >= _LOWEST_TEMPERATURE else {"do_sample": False}),
        )


class _Streamer(BaseStreamer):  # type: ignore[misc] # transformers has no types
    """Hands over each token; the prompt, which comes first, is none."""

    def __init__(self, hand_over: Callable[[Tokens | Exception], None]) -> None:
        self._hand_over, self._is_prompt = hand_over, True

    def put(self, value: torch.Tensor) -> None:
        """Take the ids of one step."""
        if not self._is_prompt:
            self._hand_over(Tokens(value.flatten().tolist()))
        self._is_prompt = False

    def end(self) -> None:
        """Nothing: the reason for the end is handed over with it."""
