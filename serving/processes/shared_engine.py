"""One engine that several connections use: a release stays loaded while any of them answers with it."""

import asyncio
from collections import defaultdict

from serving.engines.contract import Adapter, Engine


class SharedEngine:
    """Counts who holds which release. A user is whatever tells one connection from another."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.users: set[object] = set()
        self._holders: dict[str, set[object]] = defaultdict(set)
        # One for each release: `add` may wait in the engine until another release is removed.
        self._changing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._adding = asyncio.Lock()

    async def add(self, user: object, adapter: Adapter) -> None:
        """Load a release that nobody holds yet; the user holds it then. Raises what the engine raises."""
        async with self._changing[adapter.version]:
            if not self._holders[adapter.version]:
                async with self._adding:
                    await self.engine.add(adapter)
            self._holders[adapter.version].add(user)

    async def remove(self, user: object, version: str) -> None:
        """Unload a release when this user was the last to hold it; nothing happens if the user does not."""
        async with self._changing[version]:
            holders = self._holders[version]
            if user not in holders:
                return
            holders.discard(user)
            if not holders:
                await self.engine.remove(version)

    async def give_up_all(self, user: object) -> None:
        """Remove whatever the user holds."""
        for version in list(self._holders):
            await self.remove(user, version)
