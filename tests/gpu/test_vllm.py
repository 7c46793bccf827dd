"""The engine on a GPU: `pytest -m gpu -W default tests/gpu`, with docker/serving/gpu-requirements.lock installed.

Needs no Airflow, Spark or MLflow. The tiny model's weights are random: its answers to jobs with other seeds, or with
another adapter, differ.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from benchmarks.gpu.model import SHAPES, base_folder, make_release, release_folder
from llmops.annotation.prompts import encode_prompt
from llmops.errors import ConfigurationError, CorruptArtifactError
from serving.engines.contract import Adapter, BaseModel, Engine, EngineDiedError, EngineOptions
from tests.serving.asking import BASE, CHAMPION, ask, make_job

# vLLM and what it imports warn of their own deprecations.
pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("default")]
QUESTIONS = [f"Where is parcel number {number}?" for number in range(6)]
_WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """One event loop for all tests: an engine belongs to the one that started it."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    settings = make_release(tmp_path_factory.mktemp("release"), SHAPES["tiny"])
    return BaseModel(base_folder(settings), release_folder(settings))


@pytest.fixture(scope="module")
def engine(base: BaseModel, loop: asyncio.Runner) -> Iterator[Engine]:
    found = loop.run(_start(base))
    yield found
    loop.run(found.close())


async def _start(base: BaseModel) -> Any:
    from serving.engines import vllm  # noqa: PLC0415 - not in the main environment

    engine = await vllm.start(base, EngineOptions())
    await engine.add(Adapter(CHAMPION, base.tokenizer, "Help customers."))
    return engine


def _scaled(base: BaseModel, folder: Path, factor: float) -> Adapter:
    """The release's adapter with so many times its effect."""
    shutil.copytree(base.tokenizer, folder)
    weights = load_file(folder / _WEIGHTS)
    scaled = {name: value * (factor if "lora_B" in name else 1) for name, value in weights.items()}
    save_file(scaled, folder / _WEIGHTS, metadata={"format": "pt"})
    return Adapter(folder.name, folder, "Help customers.")


def test_streamed_and_whole_answers_are_the_decoded_ids(engine: Engine, base: BaseModel, loop: asyncio.Runner) -> None:
    async def both() -> tuple[tuple[str, int], tuple[str, int]]:
        streamed, whole = [await ask(engine, QUESTIONS[0], is_streamed=is_streamed) for is_streamed in (True, False)]
        return (streamed[0], streamed[1].completion_tokens), (whole[0], whole[1].completion_tokens)

    streamed, whole = loop.run(both())

    assert streamed == whole
    assert streamed[0]
    assert streamed[1] == 24


def test_prompts_are_encoded_as_in_training(engine: Engine, base: BaseModel, loop: asyncio.Runner) -> None:
    from transformers import AutoTokenizer  # noqa: PLC0415 - heavy

    expected = encode_prompt(AutoTokenizer.from_pretrained(base.tokenizer), [{"role": "user", "content": QUESTIONS[0]}])

    assert loop.run(engine.encode([{"role": "user", "content": QUESTIONS[0]}])) == expected


def test_release_and_base_model_answer_differently(engine: Engine, loop: asyncio.Runner) -> None:
    async def both() -> list[str]:
        return [(await ask(engine, QUESTIONS[0], who))[0] for who in (CHAMPION, BASE)]

    tuned, untuned = loop.run(both())

    assert tuned != untuned


def test_equal_seeds_give_equal_answers_and_the_smallest_top_p_is_greedy(engine: Engine, loop: asyncio.Runner) -> None:
    async def sample() -> list[str]:
        seeded = [(await ask(engine, QUESTIONS[0], temperature=1.0, seed=seed))[0] for seed in (7, 8, 7)]
        return [
            *seeded,
            (await ask(engine, QUESTIONS[0]))[0],
            (await ask(engine, QUESTIONS[0], temperature=1.0, top_p=1e-6))[0],
        ]

    first, other, again, greedy, narrow = loop.run(sample())

    assert first == again
    assert first != other
    assert narrow == greedy


def test_answer_that_is_left_leaves_the_core_too(engine: Engine, loop: asyncio.Runner) -> None:
    async def leave() -> tuple[int, int]:
        job = await make_job(engine, QUESTIONS[0], BASE, max_new_tokens=900)
        async with aclosing(engine.stream(job)) as stream:
            await anext(stream)
            running = engine.stats().running
        return running, engine.stats().running

    assert loop.run(leave()) == (1, 0)


def test_release_is_added_beside_running_answers_and_removed_again(
    engine: Engine, base: BaseModel, tmp_path: Path, loop: asyncio.Runner
) -> None:
    async def change() -> list[str]:
        before = (await ask(engine, QUESTIONS[0]))[0]
        long = asyncio.create_task(ask(engine, QUESTIONS[0], max_new_tokens=400))
        await asyncio.sleep(0)
        await engine.add(_scaled(base, tmp_path / "other", 4.0))
        other = (await ask(engine, QUESTIONS[0], "other"))[0]
        await engine.remove("other")
        assert (await long)[1].completion_tokens == 400
        return [before, other, (await ask(engine, QUESTIONS[0]))[0]]

    before, other, after = loop.run(change())

    assert before == after
    assert other != before


def test_adapter_that_changes_nothing_is_refused(
    engine: Engine, base: BaseModel, tmp_path: Path, loop: asyncio.Runner
) -> None:
    with pytest.raises(CorruptArtifactError, match="its adapter changes nothing"):
        loop.run(engine.add(_scaled(base, tmp_path / "zero", 0.0)))


def test_adapter_of_a_higher_rank_names_the_setting(
    engine: Engine, base: BaseModel, tmp_path: Path, loop: asyncio.Runner
) -> None:
    adapter = _scaled(base, tmp_path / "high", 1.0)
    config = adapter.folder / "adapter_config.json"
    config.write_text(config.read_text().replace('"r": 16', '"r": 32'))

    with pytest.raises(ConfigurationError, match="LLMOPS_SERVING_LORA_RANK=32"):
        loop.run(engine.add(adapter))


def test_core_that_dies_fails_what_waits_and_what_comes(base: BaseModel, engine: Engine, loop: asyncio.Runner) -> None:
    # Last, and with the module's engine: a card need not hold a second one.
    async def lose_it() -> list[BaseException | Any]:
        waiting = asyncio.create_task(ask(engine, QUESTIONS[0], max_new_tokens=900))
        await asyncio.sleep(0.2)
        os.kill(engine._llm.engine_core.resources.engine_manager.processes[0].pid, signal.SIGKILL)  # type: ignore[attr-defined]
        errors = await asyncio.gather(waiting, return_exceptions=True)
        return [*errors, *await asyncio.gather(ask(engine, QUESTIONS[0]), return_exceptions=True)]

    assert [type(error) for error in loop.run(lose_it())] == [EngineDiedError, EngineDiedError]
