"""The identity provider's public keys (JSON Web Key Set, RFC 7517), fetched beside the event loop.

PyJWT's own client blocks while it fetches, holds a lock meanwhile and tries again with every token while the provider
is down. Here one fetch runs at a time, in a thread; tokens whose key is at hand never wait for it.
"""

import asyncio
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from jwt import PyJWK, PyJWKClient, PyJWKSet, PyJWTError

from llmops.errors import AccessUnavailableError, BadTokenError

_FRESH_SECONDS = 300.0
"""Age at which the set is fetched again, so that keys which the provider withdrew go."""
_USABLE_SECONDS = 3600.0
"""Age up to which a set is trusted while the provider cannot be reached."""
_PAUSE_SECONDS = 60.0
"""From one fetch to the next, however many tokens name keys that are not in the set."""
_RETRY_SECONDS = 5.0
"""The same after a fetch that failed."""
_TIMEOUT_SECONDS = 5.0
log = structlog.get_logger()


class KeySet:
    """The keys at `source`, an http(s) address or a file; to be used within one event loop.

    `clock` gives seconds that only ever grow.
    """

    def __init__(self, source: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._source, self._clock = source, clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched, self._next_fetch = -math.inf, -math.inf
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> PyJWK:
        """The signing key of that id.

        Raises BadTokenError when the set does not list it, AccessUnavailableError while there is no set to look into.
        """
        must_wait = key_id not in self._keys or self._age() >= _USABLE_SECONDS
        if must_wait or self._age() >= _FRESH_SECONDS:
            fetching = self._fetch_if_due()
            if must_wait and fetching is not None:
                # Shielded: a client that hangs up must not end the fetch that others wait for.
                await asyncio.shield(fetching)
        if self._age() >= _USABLE_SECONDS:
            raise AccessUnavailableError(f"{self._source}: the provider's keys cannot be read; no token is accepted")
        if key_id not in self._keys:
            raise BadTokenError("signed with a key that the provider does not list")
        return self._keys[key_id]

    def _age(self) -> float:
        return self._clock() - self._fetched

    def _fetch_if_due(self) -> asyncio.Task[None] | None:
        if self._fetching is None and self._clock() >= self._next_fetch:
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        pause = _RETRY_SECONDS
        try:
            found = await asyncio.to_thread(_read, self._source)
        except (PyJWTError, OSError, ValueError) as error:
            # Not raised: the keys at hand stay good for a while, and `find` says so once they are not.
            log.warning("key_set.not_fetched", source=self._source, kind=type(error).__name__)
        else:
            self._keys = {key.key_id: key for key in found.keys if key.key_id and key.public_key_use in {"sig", None}}
            self._fetched, pause = self._clock(), _PAUSE_SECONDS
        finally:
            self._next_fetch = self._clock() + pause
            self._fetching = None


def _read(source: str) -> PyJWKSet:
    try:
        if source.lower().startswith(("https://", "http://")):
            return PyJWKClient(source, cache_jwk_set=False, timeout=_TIMEOUT_SECONDS).get_jwk_set()
        return PyJWKSet.from_dict(json.loads(Path(source).read_text(encoding="utf-8")))
    except (AttributeError, KeyError, TypeError) as error:
        # PyJWT 2.15 raises these for JSON that is no key set, or that holds a key without its parts.
        raise ValueError(f"{source}: not a key set") from error
