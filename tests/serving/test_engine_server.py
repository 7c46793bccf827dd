"""One engine's process and several API processes: none takes from another what it still answers with."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llmops.errors import CorruptArtifactError
from llmops.settings import Settings
from serving.engines import remote
from serving.engines.contract import Adapter, BaseModel, Engine, EngineOptions
from serving.models import Models
from serving.settings import ServingSettings
from tests.serving.asking import BASE, CHAMPION, ask, make_job
from tests.serving.conftest import open_champion, poll
from tests.serving.engines_alike import load

_QUESTION = "Where is my parcel?"


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineOptions]:
    """How to reach an engine's process."""
    socket = tmp_path_factory.mktemp("engine") / "engine"
    variables = os.environ | {"LLMOPS_SERVING_ENGINE": "transformers", "LLMOPS_SERVING_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", "serving.processes.engine", str(socket)], env=variables)
    poll(socket.exists)
    yield EngineOptions(socket=socket)
    process.terminate()
    assert process.wait(30) == 0


@asynccontextmanager
async def _two(published: Settings, options: EngineOptions) -> AsyncIterator[tuple[Engine, Engine]]:
    """Two that have loaded the champion on the same engine."""
    first, second = [await load(remote, published, options) for _ in range(2)]
    yield first, second
    await second.close()
    await first.close()


@pytest.mark.parametrize("leaves_by", ["remove", "close"])
def test_a_release_stays_while_another_process_answers_with_it(
    leaves_by: str, published: Settings, options: EngineOptions
) -> None:
    async def answers() -> list[str]:
        async with _two(published, options) as (first, second):
            found = [(await ask(second, _QUESTION, who))[0] for who in (CHAMPION, BASE)]
            stream = second.stream(await make_job(second, _QUESTION))
            began = (await anext(stream)).text
            await (first.remove(CHAMPION) if leaves_by == "remove" else first.close())
            found.append(began + "".join([piece.text async for piece in stream]))
            return [*found, (await ask(second, _QUESTION))[0]]

    tuned, untuned, under_way, after = asyncio.run(answers())

    assert tuned != untuned
    assert under_way == after == tuned


@pytest.mark.parametrize("leaves_by", ["remove", "close"])
def test_a_release_goes_with_the_last_that_holds_it(
    leaves_by: str, published: Settings, options: EngineOptions
) -> None:
    async def is_loaded(engine: Engine) -> bool:
        try:
            await ask(engine, _QUESTION)
        except RuntimeError:
            return False
        return True

    async def until_gone() -> None:
        async with _two(published, options) as (first, second):
            third = await remote.start(BaseModel(*_base(published)), options)
            for engine in (first, second):
                assert await is_loaded(third)
                await (engine.remove(CHAMPION) if leaves_by == "remove" else engine.close())
            while await is_loaded(third):  # a closed connection is noticed a little later
                await asyncio.sleep(0.02)
            await third.close()

    asyncio.run(asyncio.wait_for(until_gone(), 30))


def _base(published: Settings) -> tuple[Path, Path]:
    with open_champion(published) as files:
        return files.base, files.base


def test_another_base_model_leaves_answers_under_way(
    published: Settings, options: EngineOptions, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(_base(published)[0], other)

    async def answers() -> list[str]:
        old = await load(remote, published, options)
        stream = old.stream(await make_job(old, _QUESTION, max_new_tokens=200))
        began = (await anext(stream)).text
        new = await remote.start(BaseModel(other, other), options)
        with open_champion(published) as files:
            await new.add(Adapter(CHAMPION, files.folder, files.record.system))
        rest = "".join([piece.text async for piece in stream])
        both = [(await ask(engine, _QUESTION, max_new_tokens=200))[0] for engine in (old, new)]
        await old.close()
        after = (await ask(new, _QUESTION, max_new_tokens=200))[0]
        await new.close()
        return [began + rest, *both, after]

    found = asyncio.run(answers())

    assert found == [found[0]] * 4  # the same model twice, so the same answer
    assert len(found[0]) > 50


@pytest.mark.parametrize("is_whole", [True, False])
def test_weights_are_checked_by_the_process_that_loads_them(
    is_whole: bool, settings: Settings, options: EngineOptions
) -> None:
    weights = next(Path(settings.lake, "models").rglob("model.safetensors"))
    if not is_whole:
        data = weights.read_bytes()
        weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    models = Models(ServingSettings(platform=settings, engine="remote", engine_socket=options.socket))

    async def serve() -> str:
        await models.follow()
        assert models.lineup is not None
        champion = models.lineup.champion
        text, _ = await ask(champion.engine, _QUESTION, champion.version)
        await models.close()
        return text

    if is_whole:
        assert asyncio.run(serve())
    else:
        with pytest.raises(CorruptArtifactError, match=r"model\.safetensors: not what the release was signed with"):
            asyncio.run(serve())


def test_own_tokenizer_gives_the_ids_of_the_engines(published: Settings, options: EngineOptions) -> None:
    own = EngineOptions(socket=options.socket, own_tokenizer=True)

    async def answers() -> list[tuple[list[int], str]]:
        found = []
        for chosen in (options, own):
            engine = await load(remote, published, chosen)
            conversation = [{"role": "system", "content": "Ünïcode"}, {"role": "user", "content": _QUESTION}]
            found.append((await engine.encode(conversation), (await ask(engine, _QUESTION))[0]))
            await engine.close()
        return found

    theirs, ours = asyncio.run(answers())

    assert ours == theirs
