"""Every engine: the same answers as PyTorch's, many at once, releases beside each other, and nothing left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from types import ModuleType

import pytest

from llmops.errors import ConfigurationError, CorruptArtifactError
from llmops.manifest import Manifest
from llmops.settings import Settings
from serving.engines import openvino, remote, transformers
from serving.engines.contract import Adapter, Engine, EngineDiedError, EngineOptions
from tests.publishing.small_lake import make_adapter, make_decision, make_lake, publish
from tests.serving.asking import BASE, CHAMPION, ask, make_job
from tests.serving.conftest import Serve, poll
from tests.serving.engines_alike import load

MODULES = {"transformers": transformers, "openvino": openvino, "remote": remote}
QUESTIONS = [f"Where is parcel number {number}?" for number in range(6)]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """One event loop for all tests: an engine belongs to the one that started it."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def sockets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineOptions]:
    """An engine and a tokenizer in processes of their own."""
    folder = tmp_path_factory.mktemp("sockets")
    options = EngineOptions(socket=folder / "engine", tokenizer_socket=folder / "tokenizer")
    variables = os.environ | {"LLMOPS_SERVING_ENGINE": "transformers", "LLMOPS_SERVING_THREADS": "1"}
    command = [sys.executable, "-m", "serving.processes.engine"]
    processes = [
        subprocess.Popen([*command, str(options.socket)], env=variables),
        subprocess.Popen([*command, str(options.tokenizer_socket), "--tokenizer-only"], env=variables),
    ]
    poll(lambda: len(list(folder.iterdir())) == 2)
    yield options
    for process in processes:
        process.terminate()
    assert [process.wait(30) for process in processes] == [0, 0]


@pytest.fixture(scope="module", params=["transformers", "openvino", "remote"])
def engine(request: pytest.FixtureRequest, published: Settings, loop: asyncio.Runner) -> Iterator[Engine]:
    options = request.getfixturevalue("sockets") if request.param == "remote" else None
    found = loop.run(load(MODULES[request.param], published, options))
    yield found
    loop.run(found.close())


def test_openvino_answers_as_pytorch_does(published: Settings, loop: asyncio.Runner) -> None:
    async def all_of(module: ModuleType) -> list[str]:
        engine = await load(module, published)
        texts = [(await ask(engine, question, who))[0] for question in QUESTIONS for who in (CHAMPION, BASE)]
        await engine.close()
        return texts

    found, expected = (loop.run(all_of(module)) for module in (openvino, transformers))

    assert found == expected
    assert found[0] != found[1]


def test_many_at_once_get_the_answers_they_get_alone(engine: Engine, loop: asyncio.Runner) -> None:
    async def both() -> tuple[list[str], list[str]]:
        alone = [(await ask(engine, question))[0] for question in QUESTIONS]
        together = await asyncio.gather(*(ask(engine, question) for question in QUESTIONS))
        return alone, [text for text, _ in together]

    alone, together = loop.run(both())

    assert together == alone


def test_pieces_come_as_they_are_made_and_count_their_tokens(engine: Engine, loop: asyncio.Runner) -> None:
    async def read() -> list[int]:
        job = await make_job(engine, QUESTIONS[0])
        return [piece.completion_tokens async for piece in engine.stream(job)]

    counts = loop.run(read())

    assert counts == sorted(counts)
    assert len(set(counts)) > 5


def test_equal_seeds_give_equal_answers(engine: Engine, loop: asyncio.Runner) -> None:
    async def sample() -> list[str]:
        return [(await ask(engine, QUESTIONS[0], temperature=1.0, seed=seed))[0] for seed in (7, 8, 7)]

    first, other, again = loop.run(sample())

    assert first == again
    assert first != other


def test_the_smallest_top_p_is_greedy(engine: Engine, loop: asyncio.Runner) -> None:
    async def sample() -> list[str]:
        return [
            (await ask(engine, QUESTIONS[0], **changes))[0] for changes in ({}, {"temperature": 1.0, "top_p": 1e-6})
        ]

    greedy, narrow = loop.run(sample())

    assert narrow == greedy


def test_answer_that_is_left_stops_and_frees_its_place(engine: Engine, loop: asyncio.Runner) -> None:
    async def leave() -> tuple[int, int, str, str]:
        before = (await ask(engine, QUESTIONS[1]))[0]
        job = await make_job(engine, QUESTIONS[0], BASE, max_new_tokens=900)
        async with aclosing(engine.stream(job)) as stream:
            await anext(stream)
            running = engine.stats().running
        task = asyncio.create_task(ask(engine, QUESTIONS[0], BASE, max_new_tokens=900))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        return running, engine.stats().running, before, (await ask(engine, QUESTIONS[1]))[0]

    running, after, before, again = loop.run(leave())

    assert (running, after) == (1, 0)
    assert again == before


def test_release_is_added_beside_running_answers_and_removed_again(
    engine: Engine, published: Settings, tiny_model_folder: Path, tmp_path: Path, loop: asyncio.Runner
) -> None:
    make_adapter(tiny_model_folder, tmp_path / "other", seed=2)

    async def change() -> list[str]:
        before = (await ask(engine, QUESTIONS[0]))[0]
        long = asyncio.create_task(ask(engine, QUESTIONS[0], BASE, max_new_tokens=200))
        await asyncio.sleep(0)
        await engine.add(Adapter("other", tmp_path / "other", "Answer as the shop does."))
        other = (await ask(engine, QUESTIONS[0], "other"))[0]
        beside = (await ask(engine, QUESTIONS[0]))[0]
        await engine.remove("other")
        assert (await long)[1].completion_tokens == 200
        return [before, other, beside, (await ask(engine, QUESTIONS[0]))[0]]

    before, other, beside, after = loop.run(change())

    assert before == beside == after
    assert other != before


@pytest.mark.parametrize("module", [transformers, openvino])
def test_adapter_that_changes_nothing_is_refused(
    module: ModuleType,
    tiny_model: Manifest,
    tiny_model_folder: Path,
    empty_store: Path,
    tmp_path: Path,
    loop: asyncio.Runner,
) -> None:
    make_adapter(tiny_model_folder, tmp_path / "zero", changes_answers=False)
    settings = make_lake(tmp_path, tiny_model, empty_store)
    publish(settings, make_decision(settings, tmp_path / "zero"))

    with pytest.raises(CorruptArtifactError, match="its adapter changes nothing"):
        loop.run(load(module, settings))


def test_process_that_dies_fails_what_waits_and_what_comes(published: Settings, loop: asyncio.Runner) -> None:
    async def lose_it() -> list[BaseException | tuple[str, object]]:
        engine = await load(openvino, published)
        job = await make_job(engine, QUESTIONS[0], max_new_tokens=900, temperature=1.0)
        stream = engine.stream(job)
        await anext(stream)
        os.kill(engine._models[CHAMPION].process_id, signal.SIGKILL)
        waiting = asyncio.create_task(_rest_of(stream))
        errors = await asyncio.gather(waiting, return_exceptions=True)
        errors += await asyncio.gather(ask(engine, QUESTIONS[0]), return_exceptions=True)
        await engine.close()
        return errors

    assert [type(error) for error in loop.run(lose_it())] == [EngineDiedError, EngineDiedError]


async def _rest_of(stream: object) -> None:
    async for _ in stream:  # type: ignore[attr-defined]
        pass


def test_engine_that_is_not_there_is_told_with_the_remedy(
    published: Settings, tmp_path: Path, loop: asyncio.Runner
) -> None:
    with pytest.raises(ConfigurationError, match=r"nobody listens.*serving\.processes\.engine"):
        loop.run(load(remote, published, EngineOptions(socket=tmp_path / "engine")))


def test_engine_process_that_ends_fails_what_waits(published: Settings, tmp_path: Path, loop: asyncio.Runner) -> None:
    socket = tmp_path / "engine"
    variables = os.environ | {"LLMOPS_SERVING_ENGINE": "transformers"}
    process = subprocess.Popen([sys.executable, "-m", "serving.processes.engine", str(socket)], env=variables)
    poll(socket.exists)

    async def lose_it() -> list[BaseException]:
        engine = await load(remote, published, EngineOptions(socket=socket))
        stream = engine.stream(await make_job(engine, QUESTIONS[0], BASE, max_new_tokens=900))
        await anext(stream)
        process.kill()
        errors = await asyncio.gather(_rest_of(stream), return_exceptions=True)
        errors += await asyncio.gather(ask(engine, QUESTIONS[0]), return_exceptions=True)
        await engine.close()
        return [error for error in errors if error]

    assert [type(error) for error in loop.run(lose_it())] == [EngineDiedError, EngineDiedError]
    process.wait()


@pytest.mark.parametrize("engine", ["openvino", "remote"])
def test_service_answers_with_it_by_one_setting(engine: str, serve: Serve, sockets: EngineOptions) -> None:
    client = serve(engine=engine, engine_socket=sockets.socket)

    answers = [
        client.post("/generate", json={"prompt": QUESTIONS[0], "model": model}) for model in ("champion", "base")
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["answer"] != answers[1].json()["answer"]
