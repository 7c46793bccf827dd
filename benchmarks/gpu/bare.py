"""The peer: vLLM's AsyncLLM by itself, given ids, with the service's own engine options and its own detokeniser.

`python -m benchmarks.gpu.bare HOME QUANTIZATION CACHE_GIB` loads it, then makes the file HOME/bare.ready; for each line
`PLAN RESULT` on its standard input it puts that plan's load on the engine, until the input ends.
"""

import asyncio
import itertools
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.gpu.load import Plan, Streamed, run, write_result
from benchmarks.gpu.model import base_folder, release_folder, settings_of
from serving.engines.contract import BaseModel, EngineOptions
from serving.engines.encoding import Encoder
from serving.engines.vllm import engine_arguments, launch


async def serve(home: Path, options: EngineOptions) -> None:
    """Load the engine, and measure whatever plans come, with the release's adapter on every request."""
    # After serving.engines.vllm, which sets what vLLM reads when it is imported.
    from vllm.inputs import tokens_input  # noqa: PLC0415 - see above
    from vllm.lora.request import LoRARequest  # noqa: PLC0415
    from vllm.sampling_params import RequestOutputKind, SamplingParams  # noqa: PLC0415

    settings = settings_of(home)
    base = BaseModel(base_folder(settings), release_folder(settings))
    encoder = Encoder(base)
    arguments = engine_arguments(base, options, encoder.context_tokens) | {"skip_tokenizer_init": False}
    llm = launch(arguments)
    adapter = LoRARequest("release", 1, str(base.tokenizer))
    await llm.add_lora(adapter)
    names = itertools.count()

    def sampling(plan: Plan, kind: Any) -> Any:
        return SamplingParams(
            max_tokens=plan.max_new_tokens, temperature=0.0, stop_token_ids=encoder.ends, output_kind=kind
        )

    async def ask(plan: Plan, number: int) -> int:
        params = sampling(plan, RequestOutputKind.FINAL_ONLY)
        prompt = tokens_input(plan.ids[number])
        async for output in llm.generate(prompt, params, str(next(names)), lora_request=adapter):
            tokens = len(output.outputs[0].token_ids)
        return tokens

    async def ask_streamed(plan: Plan, number: int) -> Streamed:
        started, first, shown, texts = time.perf_counter(), 0.0, 0.0, []
        params = sampling(plan, RequestOutputKind.DELTA)
        prompt = tokens_input(plan.ids[number])
        async for output in llm.generate(prompt, params, str(next(names)), lora_request=adapter):
            first = first or time.perf_counter() - started
            texts.append(output.outputs[0].text)
            shown = shown or (time.perf_counter() - started if texts[-1] else 0.0)
        return Streamed(first, shown, "".join(texts))

    (home / "bare.ready").touch()
    while line := await asyncio.to_thread(sys.stdin.readline):
        plan_file, result_file = line.split()
        plan = Plan.read(Path(plan_file))
        write_result(await run(plan, partial(ask, plan), partial(ask_streamed, plan)), Path(result_file))
    llm.shutdown()
    encoder.close()


def main() -> None:
    """Entry point of the process."""
    home, quantization, cache_gib = sys.argv[1:]
    options = EngineOptions(quantization="fp8" if quantization == "fp8" else "none", gpu_cache_gib=int(cache_gib))
    uvloop.run(serve(Path(home), options))  # as the service does


if __name__ == "__main__":
    main()
