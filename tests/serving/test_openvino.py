"""The batching CPU engine: the same answers as PyTorch's, many at once, and nothing left behind."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from llmops.artifacts import Manifest
from llmops.errors import CorruptArtifactError
from llmops.settings import Settings
from serving.answers import Answer, collect
from serving.engines import openvino, transformers
from serving.engines.contract import BusyError, Engine, EngineDiedError, Job, Variant
from serving.releases import open_champion
from tests.publishing.small_lake import make_adapter, make_decision, make_lake, publish
from tests.serving.conftest import Serve

QUESTIONS = [f"Where is parcel number {number}?" for number in range(6)]


@pytest.fixture(scope="module")
def engine(published: Settings) -> Iterator[openvino.OpenVinoEngine]:
    with open_champion(published) as release:
        found = openvino.load(release, queue_size=8, threads=1)
    yield found
    found.close()


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """One event loop for all tests: an engine belongs to the one that first asked it."""
    with asyncio.Runner() as runner:
        yield runner


async def ask(engine: Engine, question: str, variant: Variant = "champion", **changes: float) -> Answer:
    prompt = await engine.encode([{"role": "user", "content": question}])
    job = {"max_new_tokens": 24, "temperature": 0.0, "seed": 0, **changes}
    return await collect(engine.stream(Job(prompt, variant, **job)))  # type: ignore[arg-type] # whole numbers stay whole


def test_answers_of_both_models_are_those_of_pytorch(
    engine: openvino.OpenVinoEngine, published: Settings, loop: asyncio.Runner
) -> None:
    with open_champion(published) as release:
        reference = transformers.load(release, queue_size=8, threads=1)

    async def all_of(one: Engine) -> list[Answer]:
        variants: tuple[Variant, ...] = ("champion", "base")
        return [await ask(one, question, variant) for question in QUESTIONS for variant in variants]

    found, expected = loop.run(all_of(engine)), loop.run(all_of(reference))
    reference.close()

    assert found == expected
    assert found[0] != found[1]


def test_many_at_once_get_the_answers_they_get_alone(engine: openvino.OpenVinoEngine, loop: asyncio.Runner) -> None:
    async def both() -> tuple[list[Answer], list[Answer]]:
        alone = [await ask(engine, question) for question in QUESTIONS]
        return alone, await asyncio.gather(*(ask(engine, question) for question in QUESTIONS))

    alone, together = loop.run(both())

    assert together == alone


def test_pieces_add_up_to_the_answer(engine: openvino.OpenVinoEngine, loop: asyncio.Runner) -> None:
    async def read() -> tuple[list[str], list[int], Answer]:
        prompt = await engine.encode([{"role": "user", "content": QUESTIONS[0]}])
        pieces = [piece async for piece in engine.stream(Job(prompt, "champion", 24, 0.0, 0))]
        return (
            [piece.text for piece in pieces],
            [piece.completion_tokens for piece in pieces],
            await ask(engine, QUESTIONS[0]),
        )

    texts, counts, whole = loop.run(read())

    assert "".join(texts) == whole.text
    assert counts == sorted(counts)
    assert counts[-1] == whole.completion_tokens
    assert len(counts) > 5


def test_equal_seeds_give_equal_answers(engine: openvino.OpenVinoEngine, loop: asyncio.Runner) -> None:
    async def sample() -> list[Answer]:
        return [await ask(engine, QUESTIONS[0], temperature=1.0, seed=seed) for seed in (7, 8, 7)]

    first, other, again = loop.run(sample())

    assert first == again
    assert first != other


def test_full_queue_is_refused_and_an_abandoned_answer_frees_its_place(
    engine: openvino.OpenVinoEngine, loop: asyncio.Runner
) -> None:
    async def fill() -> tuple[int, int]:
        prompt = await engine.encode([{"role": "user", "content": QUESTIONS[0]}])
        long = Job(prompt, "champion", 900, 1.0, 1)
        running = [asyncio.create_task(collect(engine.stream(long))) for _ in range(8)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await collect(engine.stream(long))
        full = engine.stats().admitted
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        assert (await ask(engine, QUESTIONS[1])).text == (await ask(engine, QUESTIONS[1])).text
        return full, engine.stats().admitted

    assert loop.run(fill()) == (8, 0)


def test_stream_that_is_left_stops_the_generation(engine: openvino.OpenVinoEngine, loop: asyncio.Runner) -> None:
    async def leave() -> int:
        prompt = await engine.encode([{"role": "user", "content": QUESTIONS[0]}])
        async with aclosing(engine.stream(Job(prompt, "champion", 900, 1.0, 1))) as stream:
            await anext(stream)
        return engine.stats().admitted

    assert loop.run(leave()) == 0


def test_adapter_that_changes_nothing_is_refused(
    tiny_model: Manifest, tiny_model_folder: Path, empty_store: Path, tmp_path: Path
) -> None:
    make_adapter(tiny_model_folder, tmp_path / "zero", changes_answers=False)
    settings = make_lake(tmp_path, tiny_model, empty_store)
    publish(settings, make_decision(settings, tmp_path / "zero"))

    with open_champion(settings) as release, pytest.raises(CorruptArtifactError, match="its adapter changes nothing"):
        openvino.load(release, queue_size=1, threads=1)


def test_process_that_dies_fails_what_waits_and_what_comes(published: Settings) -> None:
    with open_champion(published) as release:
        engine = openvino.load(release, queue_size=8, threads=1)

    async def lose_it() -> list[BaseException]:
        waiting = asyncio.create_task(ask(engine, QUESTIONS[0], max_new_tokens=900, temperature=1.0))
        while not engine.stats().admitted:
            await asyncio.sleep(0.01)
        os.kill(engine._process.pid, signal.SIGKILL)
        later = (await asyncio.gather(waiting, return_exceptions=True))[0]
        new = (await asyncio.gather(ask(engine, QUESTIONS[0]), return_exceptions=True))[0]
        return [error for error in (later, new) if isinstance(error, BaseException)]

    errors = asyncio.run(lose_it())
    engine.close()

    assert [type(error) for error in errors] == [EngineDiedError, EngineDiedError]


def test_service_answers_with_it_by_one_setting(serve: Serve) -> None:
    client = serve(engine="openvino")
    answers = [
        client.post("/generate", json={"prompt": QUESTIONS[0], "model": model}) for model in ("champion", "base")
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert httpx.Response(200, json=answers[0].json()).json()["answer"] != answers[1].json()["answer"]
