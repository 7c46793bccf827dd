"""Which models are loaded and who answers: the champion, a challenger beside it, the base model alone.

A change of what the lake names is taken over without a pause: the new release is loaded beside the old one, then new
requests go to it, and the old one goes when its last answer is done.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

import structlog

from llmops import digests
from llmops.errors import LlmopsError, SignatureError
from llmops.manifest import Manifest
from llmops.publishing.releases import ReleaseRecord
from serving import releases
from serving.engines.contract import Adapter, BaseModel, Engine, EngineDiedError
from serving.releases import Named
from serving.settings import ServingSettings

DEPLOYED = "champion"
"""The name under which everybody may ask; a challenger answers some of it while it is tried."""
log = structlog.get_logger()


@dataclass(eq=False)
class Model:
    """One name that can be asked, and the engine behind it."""

    version: str
    record: ReleaseRecord
    """The release, or the one whose base model this is."""
    engine: Engine
    is_base: bool = False
    answering: int = 0
    """Answers under way."""

    @property
    def release(self) -> str | None:
        """What a job of the engine names."""
        return None if self.is_base else self.version

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Within this context the model stays loaded."""
        self.answering += 1
        try:
            yield
        finally:
            self.answering -= 1


@dataclass(frozen=True)
class Lineup:
    """Who answers right now."""

    champion: Model
    base: Model
    challenger: Model | None = None
    share: float = 0.0
    """Share of users whom the challenger answers."""

    @property
    def shares(self) -> dict[str, float]:
        """Share of users by version."""
        shares = {self.champion.version: 1 - self.share}
        return {**shares, self.challenger.version: self.share} if self.challenger else shares

    @property
    def models(self) -> list[Model]:
        """Everything that can be asked."""
        return [self.champion, *([self.challenger] if self.challenger else []), self.base]

    def choose(self, asked: str, user: str) -> Model | None:
        """The model that answers this user under the name `asked`: a version, or `champion` or `base`.

        Who asks for the champion gets the challenger if the user is among its share: always the same users, and with a
        larger share those of the smaller one too. None when nothing has that name.
        """
        if asked == DEPLOYED:
            return self.challenger if self.challenger and self._is_in_share(user) else self.champion
        if asked == "base":
            return self.base
        return next((model for model in self.models if model.version == asked), None)

    def _is_in_share(self, user: str) -> bool:
        assert self.challenger is not None  # noqa: S101 - for the type checker; `choose` asks only then
        place = int(digests.of_bytes(f"{self.challenger.version}\n{user}".encode())[:13], 16)
        return place < self.share * 16**13


class Models:
    """The line-up of this process, and how it follows the lake. Belongs to one event loop."""

    def __init__(self, settings: ServingSettings) -> None:
        self.lineup: Lineup | None = None
        self._settings = settings
        self._seen = (0, 0)
        self._retired: set[asyncio.Task[None]] = set()

    async def follow(self) -> None:
        """Serve what the lake names now; nothing happens when that is what is served.

        Raises SignatureError, ArtifactError or ConfigurationError, with the remedy, unless everything verifies; what
        was served before stays.
        """
        named = await asyncio.to_thread(releases.read_named, self._settings.platform)
        if named.sequences == self._seen:
            return
        for name, now, before in zip(("champion", "challenger"), named.sequences, self._seen, strict=True):
            if now < before:
                raise SignatureError(
                    f"{name}.json: number {now} after {before}: somebody put an older one back; name again what is to "
                    "be served"
                )
        self._seen = named.sequences  # also when it cannot be loaded: trying again would not help
        former = self.lineup
        self.lineup = await self._line_up(named)
        log.info(
            "lineup.changed",
            champion=self.lineup.champion.version,
            challenger=self.lineup.challenger.version if self.lineup.challenger else None,
            share=self.lineup.share,
        )
        if former is not None:
            self._retire(former, self.lineup)

    def require_life(self) -> None:
        """Raise EngineDiedError when an engine that should answer has ended."""
        engines = _engines(self.lineup) if self.lineup else []
        if not all(engine.stats().is_alive for engine in engines):
            raise EngineDiedError("the engine has ended")

    async def close(self) -> None:
        """End every engine."""
        for task in self._retired:
            task.cancel()
        if self.lineup is not None:
            await asyncio.gather(*(engine.close() for engine in _engines(self.lineup)))

    async def _line_up(self, named: Named) -> Lineup:
        champion = await self._load(named.champion.release, named.champion.record)
        base = Model(f"base-{champion.record.base.digest[:8]}", champion.record, champion.engine, is_base=True)
        if named.challenger is None:
            return Lineup(champion, base)
        try:
            challenger = await self._load(named.challenger.release, named.challenger.record, champion)
        except LlmopsError as error:
            log.warning("challenger.refused", version=named.challenger.record.version, reason=str(error))
            return Lineup(champion, base)
        return Lineup(champion, base, challenger, named.challenger.pointer.share)

    async def _load(self, release: Manifest, record: ReleaseRecord, beside: Model | None = None) -> Model:
        """The release's model: one that is loaded, or a new one on an engine with its base model, or on a new one."""
        loaded = [*(self.lineup.models if self.lineup else []), *([beside] if beside else [])]
        for model in loaded:
            if not model.is_base and model.record == record:
                return model
        fitting = [model.engine for model in loaded if model.record.base == record.base]
        is_remote = self._settings.engine == "remote"  # then 16 GB are hashed once, by the process that loads them
        opening = releases.open_release(release, self._settings.platform, is_base_hashed=not is_remote)
        files = await asyncio.to_thread(opening.__enter__)
        try:
            engine = (
                fitting[0]
                if fitting
                else await self._start(BaseModel(files.base, files.folder, record.base.files if is_remote else {}))
            )
            try:
                await engine.add(Adapter(record.version, files.folder, record.system))
            except BaseException:
                if not fitting:
                    await engine.close()
                raise
        finally:
            await asyncio.to_thread(opening.__exit__, None, None, None)
        return Model(record.version, record, engine)

    async def _start(self, base: BaseModel) -> Engine:
        module = import_module(f"serving.engines.{self._settings.engine}")  # by name: only the one in use is imported
        engine: Engine = await module.start(base, self._settings.engine_options)
        return engine

    def _retire(self, before: Lineup, after: Lineup) -> None:
        """Unload what is no longer in the line-up when its last answer is done, engines that nobody uses too."""
        kept = _engines(after)
        for engine in _engines(before):
            models = [model for model in before.models if model.engine is engine and model not in after.models]
            if models:
                task = asyncio.create_task(_let_go(models, engine, engine_stays=engine in kept))
                self._retired.add(task)
                task.add_done_callback(self._retired.discard)


async def _let_go(models: list[Model], engine: Engine, *, engine_stays: bool) -> None:
    while any(model.answering for model in models):
        await asyncio.sleep(0.1)
    if engine_stays:
        for model in models:
            if not model.is_base:
                await engine.remove(model.version)
    else:
        await engine.close()
    log.info("releases.unloaded", versions=[model.version for model in models])


def _engines(lineup: Lineup) -> list[Engine]:
    return list({id(model.engine): model.engine for model in lineup.models}.values())
