"""Loading the champion of a lake into an engine, and asking it, for tests of every engine."""

from types import ModuleType
from typing import Any

from llmops.settings import Settings
from serving.engines.contract import Adapter, BaseModel, Engine, EngineOptions, Job, Piece
from tests.serving.conftest import open_champion

CHAMPION, BASE = "champion", None


async def load(module: ModuleType, settings: Settings, options: EngineOptions | None = None) -> Engine:
    """The engine of a module in `serving.engines` with the lake's champion under the name CHAMPION."""
    with open_champion(settings) as files:
        engine: Engine = await module.start(BaseModel(files.base, files.folder), options or EngineOptions(threads=1))
        try:
            await engine.add(Adapter(CHAMPION, files.folder, files.record.system))
        except BaseException:
            await engine.close()
            raise
    return engine


async def make_job(engine: Engine, question: str, version: str | None = CHAMPION, **changes: Any) -> Job:
    """A greedy job of 24 tokens."""
    prompt = await engine.encode([{"role": "user", "content": question}])
    return Job(**{"max_new_tokens": 24, "temperature": 0.0, "seed": 0, **changes, "prompt": prompt, "version": version})


async def ask(engine: Engine, question: str, version: str | None = CHAMPION, **changes: Any) -> tuple[str, Piece]:
    """The whole text and the last piece."""
    pieces = [piece async for piece in engine.stream(await make_job(engine, question, version, **changes))]
    return "".join(piece.text for piece in pieces), pieces[-1]
