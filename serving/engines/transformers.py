"""Answers with transformers and peft: one model, one worker thread that owns it, one answer at a time.

Not covered: batching. Requests wait for each other; a faster engine is another module with the same contract.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from threading import Event
from typing import Any

import structlog
import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    StoppingCriteriaList,
)
from transformers.generation.streamers import BaseStreamer
from transformers.utils import logging as transformers_logging

from llmops.annotation import prompts
from llmops.annotation.prompts import Message
from llmops.errors import CorruptArtifactError
from serving.engines.contract import BusyError, EngineStats, FinishReason, Job, Piece, Variant
from serving.engines.pieces import Feed, Tokens, read_pieces
from serving.releases import ServedRelease

_PROBE = "How long does the delivery take?"
"""Fixed question whose next-token logits must differ with and without the adapter."""
_LOWEST_TEMPERATURE = 0.01
"""Below it sampling is greedy: dividing logits by less would overflow."""
log = structlog.get_logger()


def load(release: ServedRelease, *, queue_size: int, threads: int | None) -> "TransformersEngine":
    """Load base model, adapter and tokenizer: float32 on CPU, bfloat16 on a GPU.

    `queue_size` bounds the requests that run or wait. Raises CorruptArtifactError when the adapter changes nothing.
    """
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    if threads is not None:
        torch.set_num_threads(threads)
    on_gpu = torch.cuda.is_available()
    tokenizer = AutoTokenizer.from_pretrained(release.folder, local_files_only=True, trust_remote_code=False)
    base = AutoModelForCausalLM.from_pretrained(
        release.base,
        dtype=torch.bfloat16 if on_gpu else torch.float32,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
    )
    model = PeftModel.from_pretrained(base.to("cuda" if on_gpu else "cpu"), release.folder, local_files_only=True)
    engine = TransformersEngine(model.eval(), tokenizer, release, queue_size)
    engine.prove_adapter_counts()
    log.info("engine.loaded", version=release.record.version, device=str(model.device), threads=torch.get_num_threads())
    return engine


class TransformersEngine:
    """A loaded model behind a bounded queue; see `serving.engines.contract.Engine`.

    `stream` and `encode` are called from one event loop, which alone touches the count of admitted requests.
    """

    def __init__(self, model: Any, tokenizer: Any, release: ServedRelease, queue_size: int) -> None:
        record = release.record
        self.versions: dict[Variant, str] = {"champion": record.version, "base": f"base-{record.base.digest[:8]}"}
        self.context_tokens: int = model.config.max_position_embeddings
        self._model, self._tokenizer, self._system = model, tokenizer, record.system
        self._ends = _end_ids(model, tokenizer)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="generate")
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._admitted, self._queue_size = 0, queue_size

    async def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation up to the assistant's turn, rendered as in training."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._encoder, prompts.encode_prompt, self._tokenizer, messages)

    async def stream(self, job: Job) -> AsyncGenerator[Piece, None]:
        """Wait for the worker and pass on its tokens. Left before its turn a job never starts, later it stops soon."""
        if self._admitted >= self._queue_size:
            raise BusyError(f"{self._queue_size} requests run or wait already")
        self._admitted += 1
        unwanted, feed, loop = Event(), Feed(), asyncio.get_running_loop()

        def hand_over(tokens: Tokens | Exception) -> None:
            loop.call_soon_threadsafe(feed.put_nowait, tokens)

        running = self._worker.submit(self._generate, job, unwanted, hand_over)
        try:
            async for piece in read_pieces(feed, self._tokenizer):
                yield piece
        finally:
            unwanted.set()
            running.cancel()
            self._admitted -= 1

    def stats(self) -> EngineStats:
        """How busy it is now."""
        return EngineStats(self._admitted, self._queue_size)

    def close(self) -> None:
        """Finish what runs and free the worker."""
        self._encoder.shutdown()
        self._worker.shutdown()

    def prove_adapter_counts(self) -> None:
        """Raise CorruptArtifactError when the adapter leaves a fixed prompt's logits as they are.

        An adapter whose weights were not applied answers like the untuned model, and nothing else would show it.
        """
        messages = prompts.chat_messages(self._system, _PROBE)
        ids = torch.tensor([prompts.encode_prompt(self._tokenizer, messages)], device=self._model.device)
        with torch.inference_mode():
            tuned = self._model(ids).logits
            with self._model.disable_adapter():
                untuned = self._model(ids).logits
        if torch.equal(tuned, untuned):
            raise CorruptArtifactError(
                f"release {self.versions['champion']}: its adapter changes nothing; train and publish again"
            )

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
        with torch.inference_mode(), self._variant(job.variant):
            output = self._model.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                generation_config=self._generation(job),
                stopping_criteria=StoppingCriteriaList([is_unwanted]),
                streamer=streamer,
            )
        return "stop" if int(output[0, -1]) in self._ends else "length"

    @contextmanager
    def _variant(self, variant: Variant) -> Iterator[None]:
        with self._model.disable_adapter() if variant == "base" else nullcontext():
            yield

    def _generation(self, job: Job) -> GenerationConfig:
        """Greedy or plain temperature sampling: the base model's own top-k and top-p defaults stay out of it."""
        sampling = {"do_sample": True, "temperature": job.temperature, "top_k": 0, "top_p": 1.0}
        return GenerationConfig(
            max_new_tokens=job.max_new_tokens,
            eos_token_id=self._ends,
            pad_token_id=self._tokenizer.pad_token_id,
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


def _end_ids(model: Any, tokenizer: Any) -> list[int]:
    """Ids that end an answer: the tokenizer's end token, which training taught, and the base model's own."""
    own = model.generation_config.eos_token_id
    return sorted({tokenizer.eos_token_id, *(own if isinstance(own, list) else [own] if own is not None else [])})
