"""Answers with vLLM on GPUs: one base model, its releases as LoRA adapters beside it, all jobs in one batch.

vLLM's core runs in a process of its own; this module is its client (`AsyncLLM`). Ids go in and come out: rendering and
decoding are those of every other engine, so equal ids give equal text. Decoding costs less this way, too: an answer
that nobody streams is decoded once, where vLLM's own detokeniser takes a step for each token.
Written against vLLM 0.24 (`docker/serving/gpu-requirements.lock`), which the main environment does not hold.
"""

import asyncio
import gc
import itertools
import json
import math
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, get_args

import structlog

from llmops.annotation.prompts import Message
from llmops.errors import ConfigurationError, CorruptArtifactError
from serving.engines.contract import (
    Adapter,
    BaseModel,
    EngineDiedError,
    EngineOptions,
    EngineStats,
    FinishReason,
    Job,
    Piece,
    Tokens,
)
from serving.engines.encoding import Encoder
from serving.engines.pieces import decoded

# Before vLLM is imported, which reads them; its core inherits them. Nothing is reported and nothing fetched.
os.environ |= {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1", "VLLM_PLUGINS": ""}
# A fork of a process with threads may hang.
os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"
# Its log would go to stdout, line by line in its own format; warnings come through ours.
os.environ.setdefault("VLLM_CONFIGURE_LOGGING", "0")
# FlashInfer compiles its sampler on the spot, which needs a CUDA compiler; vLLM's own needs none.
os.environ.setdefault("VLLM_USE_FLASHINFER_SAMPLER", "0")

from vllm.config.lora import MaxLoRARanks
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.inputs import tokens_input
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind, SamplingParams
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

_LOWEST_TEMPERATURE = 0.01
"""Below it sampling is greedy, as with every engine; vLLM itself would raise what lies between to this."""
_MOST_RELEASES = 4
"""Champion and challenger, and those that they replace until their last answers are done."""
_CANDIDATES = 20
_STOP_SECONDS = 10.0
_DIED = "the engine's process has ended"
_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
log = structlog.get_logger()


async def start(base: BaseModel, options: EngineOptions) -> "VllmEngine":
    """Start the core and load the base model, beside the event loop: it takes a minute for 8 billion parameters.

    Raises ConfigurationError when vLLM cannot serve the model on this machine.
    """
    encoder = await asyncio.to_thread(Encoder, base)
    arguments = engine_arguments(base, options, encoder.context_tokens)
    try:
        llm = await asyncio.to_thread(launch, arguments)
    except (RuntimeError, ValueError, OSError, TimeoutError) as error:
        encoder.close()
        raise ConfigurationError(
            f"vLLM cannot load the base model ({error}); its own words are above. Look whether another process holds "
            "the GPU, or serve it with LLMOPS_SERVING_ENGINE=openvino"
        ) from error
    # A full garbage collection through all that the libraries hold would stop every stream for tenths of a second.
    gc.collect()
    gc.freeze()
    engine = VllmEngine(llm, encoder, arguments["max_lora_rank"])
    log.info("engine.loaded", engine="vllm", gpus=options.tensor_parallel, quantization=options.quantization)
    return engine


def launch(arguments: dict[str, Any]) -> Any:
    """An AsyncLLM with its core; batches are as large as in vLLM's own server on the same card."""
    return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments), usage_context=UsageContext.OPENAI_API_SERVER)


def engine_arguments(base: BaseModel, options: EngineOptions, context_tokens: int) -> dict[str, Any]:
    """What vLLM is started with; the benchmark starts the bare engine with the same."""
    ranks = sorted(rank for rank in get_args(MaxLoRARanks) if rank >= options.lora_rank)
    if not ranks:
        raise ConfigurationError(
            f"LLMOPS_SERVING_LORA_RANK={options.lora_rank}: vLLM loads up to {max(get_args(MaxLoRARanks))}"
        )
    return {
        "model": str(base.weights),
        "tokenizer": str(base.tokenizer),
        "skip_tokenizer_init": True,
        "generation_config": "vllm",  # the base model's own sampling defaults stay out of it
        "trust_remote_code": False,
        "load_format": "safetensors",
        "dtype": "bfloat16",
        "quantization": None if options.quantization == "none" else options.quantization,
        "tensor_parallel_size": options.tensor_parallel,
        "max_model_len": context_tokens,
        **_memory(options.gpu_cache_gib),
        "enable_prefix_caching": True,
        "enable_lora": True,
        "max_loras": _MOST_RELEASES,
        "max_cpu_loras": _MOST_RELEASES,
        "max_lora_rank": ranks[0],
        "speculative_config": _speculation(options.speculative_tokens),
        "disable_log_stats": True,  # the service counts for itself
        "enable_log_requests": False,
    }


def _memory(cache_gib: int | None) -> dict[str, Any]:
    """Of itself vLLM takes 92 % of the card; told how much its cache may have, it needs no such share free."""
    return {"kv_cache_memory_bytes": cache_gib * 2**30, "gpu_memory_utilization": 0.01} if cache_gib else {}


def _speculation(tokens: int) -> dict[str, Any] | None:
    """Prompt lookup: what followed the last two to four tokens where they stood before."""
    if tokens == 0:
        return None
    lookup = {"prompt_lookup_min": 2, "prompt_lookup_max": 4}
    return {"method": "ngram", "num_speculative_tokens": tokens, **lookup}


class VllmEngine:
    """A client of vLLM's core; see `serving.engines.contract.Engine`."""

    def __init__(self, llm: Any, encoder: Encoder, lora_rank: int) -> None:
        self.context_tokens: int = llm.vllm_config.model_config.max_model_len
        self._llm, self._encoder, self._lora_rank = llm, encoder, lora_rank
        self._adapters: dict[str, Any] = {}
        self._slots = asyncio.Semaphore(_MOST_RELEASES)
        self._adapter_numbers, self._job_numbers = itertools.count(1), itertools.count(1)
        self._running: set[str] = set()

    async def add(self, adapter: Adapter) -> None:
        """Load a release beside those that are served; waits while four are, until one is removed."""
        _require_loadable(adapter, self._lora_rank)
        await self._slots.acquire()
        number = next(self._adapter_numbers)
        # vLLM caches prompts under the adapter's name: another one of the same version must not share it.
        request = LoRARequest(f"{adapter.version}#{number}", number, str(adapter.folder))
        try:
            await self._load(adapter.version, request)
            await self._prove(adapter, request)
        except EngineDeadError as error:
            self._slots.release()
            raise EngineDiedError(_DIED) from error
        except BaseException:
            await self._unload(request)
            raise
        self._adapters[adapter.version] = request
        log.info("release.loaded", version=adapter.version, engine="vllm")

    async def remove(self, version: str) -> None:
        """Let go of a release's weights."""
        await self._unload(self._adapters.pop(version))

    async def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation up to the assistant's turn, rendered as in training."""
        return await self._encoder.encode(messages)

    async def tokens(self, job: Job) -> AsyncGenerator[Tokens, None]:
        """Put the job into the batch and pass its tokens on; left early, it is taken out again."""
        name = str(next(self._job_numbers))
        lora = None if job.version is None else self._adapters[job.version]
        self._running.add(name)
        try:
            outputs = self._llm.generate(tokens_input(list(job.prompt)), self._sampling(job), name, lora_request=lora)
            async with aclosing(outputs):
                async for output in outputs:
                    ids, reason = list(output.outputs[0].token_ids), output.outputs[0].finish_reason
                    if reason is not None and reason not in _REASONS:
                        raise EngineDiedError(f"the engine ended an answer: {reason}")
                    yield Tokens(ids, None if reason is None else _REASONS[reason])
        except (EngineDeadError, EngineGenerateError) as error:
            if not self._llm.errored:
                raise
            raise EngineDiedError(_DIED) from error
        finally:
            self._running.discard(name)

    def stream(self, job: Job) -> AsyncGenerator[Piece, None]:
        """The same as text."""
        return decoded(self.tokens(job), self._encoder.tokenizer)

    def stats(self) -> EngineStats:
        """How busy it is now."""
        return EngineStats(len(self._running))

    async def close(self) -> None:
        """Fail what runs and end the core."""
        await self._llm.abort(list(self._running))
        self._encoder.close()
        await asyncio.to_thread(self._llm.shutdown, _STOP_SECONDS)

    async def _load(self, version: str, request: Any) -> None:
        try:
            await self._llm.add_lora(request)
        except EngineDeadError:
            raise
        except Exception as error:  # the core passes on its errors as text, in this very class
            raise ConfigurationError(
                f"release {version}: vLLM cannot load its adapter ({error}); "
                "serve it with LLMOPS_SERVING_ENGINE=transformers"
            ) from error

    async def _unload(self, request: Any) -> None:
        try:
            await self._llm.remove_lora(request.lora_int_id)
        except EngineDeadError:
            log.warning("release.lost", adapter=request.lora_name)
        finally:
            self._slots.release()

    async def _prove(self, adapter: Adapter, request: Any) -> None:
        """Raise CorruptArtifactError unless the adapter changes what the model finds likely to follow the probe.

        Rounding depends on what else is in the batch, so the change must be larger than that between two readings.
        """
        prompt = self._encoder.probe(adapter.system)
        tuned, again = [await self._read(prompt, request) for _ in range(2)]
        untuned, once_more = [await self._read(prompt, None) for _ in range(2)]
        noise = max(_distance(tuned, again), _distance(untuned, once_more))
        change = min(_distance(one, other) for one in (tuned, again) for other in (untuned, once_more))
        if change <= noise:
            raise CorruptArtifactError(
                f"release {adapter.version}: its adapter changes nothing; train and publish again"
            )

    async def _read(self, prompt: list[int], lora: Any) -> dict[int, float]:
        """Log-probabilities of the likeliest tokens to follow the prompt.

        Not those of the prompt's own tokens: with adapters vLLM computes them only for prompts that are short enough.
        """
        sampling = SamplingParams(
            max_tokens=1,
            temperature=0.0,
            logprobs=_CANDIDATES,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            skip_reading_prefix_cache=True,
        )
        name = f"probe-{next(self._job_numbers)}"
        outputs = [item async for item in self._llm.generate(tokens_input(prompt), sampling, name, lora_request=lora)]
        candidates = outputs[-1].outputs[0].logprobs[0]
        return {token: candidate.logprob for token, candidate in candidates.items()}

    def _sampling(self, job: Job) -> Any:
        """Greedy or sampled as the job says."""
        return SamplingParams(
            max_tokens=job.max_new_tokens,
            temperature=job.temperature if job.temperature >= _LOWEST_TEMPERATURE else 0.0,
            top_p=job.top_p,
            seed=job.seed,
            stop_token_ids=self._encoder.ends,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA if job.is_streamed else RequestOutputKind.FINAL_ONLY,
            skip_clone=True,
        )


def _require_loadable(adapter: Adapter, lora_rank: int) -> None:
    """Refuse what vLLM would refuse in less clear words, or load wrongly: it knows no rank or alpha per module."""
    config = json.loads(Path(adapter.folder, "adapter_config.json").read_text(encoding="utf-8"))
    if config["r"] > lora_rank:
        raise ConfigurationError(
            f"release {adapter.version}: its adapter has rank {config['r']}, the service was started for {lora_rank}; "
            f"start it with LLMOPS_SERVING_LORA_RANK={config['r']}"
        )
    if config.get("rank_pattern") or config.get("alpha_pattern"):
        raise ConfigurationError(
            f"release {adapter.version}: its adapter has a rank or alpha of its own for some modules, which vLLM does "
            "not apply; serve it with LLMOPS_SERVING_ENGINE=transformers"
        )


def _distance(first: dict[int, float], second: dict[int, float]) -> float:
    """Largest change of a token that is among the likeliest both times."""
    return max((abs(first[token] - second[token]) for token in first.keys() & second.keys()), default=math.inf)
