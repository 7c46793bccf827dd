"""Loading the champion of a lake into an engine, for tests of every engine."""

from types import ModuleType

from llmops.settings import Settings
from serving.engines.contract import Adapter, BaseModel, Engine, EngineOptions
from tests.serving.asking import CHAMPION
from tests.serving.conftest import open_champion


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
