"""How much an account may ask for: requests a minute and tokens a day, counted with the library `limits`.

Requests go by a sliding window counter: the last calendar minute counts in proportion to what of it lies within the
last 60 seconds. Tokens go by a window of 24 hours that opens with the first one. Both need the same small memory for
every account, however much it asks, in the service itself or in Redis. Beyond some thousands of accounts a day take
Redis: to forget old accounts, the memory storage walks over all of them (about 0.2 ms of CPU for 2,000).

What is not exact: an account that asks for its whole minute at once, at the end of one, gets the next minute's requests
as evenly as they come back, not all of the last 60 seconds' taken off. Tokens are known after the answer, so a budget
may be overdrawn by the requests in flight at that time; what was overdrawn counts. A changed limit starts anew.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from limits import RateLimitItemPerDay, RateLimitItemPerMinute
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError as StorageConfigurationError
from limits.errors import StorageError
from limits.storage import storage_from_string

from llmops.errors import AccessUnavailableError, ConfigurationError
from llmops.governance.access.identity import Allowance, Identity

_REDIS_OPTIONS: dict[str, Any] = {
    # The client that Feast uses too; bounds, because a request waits for its answer.
    "implementation": "redispy",
    "socket_connect_timeout": 1.0,
    "socket_timeout": 1.0,
}


class Limits:
    """Counts what accounts ask for; to be made and used within one event loop.

    `default` holds both limits: they go for identities whose own allowance leaves them open.
    """

    def __init__(self, storage_uri: str, *, default: Allowance) -> None:
        if default.requests_per_minute is None or default.tokens_per_day is None:
            raise ConfigurationError(f"{default}: a default needs both limits")
        self._requests_per_minute, self._tokens_per_day = default.requests_per_minute, default.tokens_per_day
        self._storage = _open(storage_uri)
        self._requests = SlidingWindowCounterRateLimiter(self._storage)
        self._tokens = FixedWindowRateLimiter(self._storage)

    async def admit(self, identity: Identity) -> int:
        """Count one request: 0 if it may go on, otherwise whole seconds, at least 1, until one may.

        Refused requests count for nothing.
        """
        item = RateLimitItemPerMinute(
            identity.allowance.requests_per_minute or self._requests_per_minute, namespace="requests"
        )
        with _failing_closed():
            if await self._requests.hit(item, identity.account):
                return 0
            return _seconds_until((await self._requests.get_window_stats(item, identity.account)).reset_time)

    async def spend(self, identity: Identity, tokens: int) -> None:
        """Count the tokens of a prompt and its answer, also beyond the budget."""
        if tokens > 0:
            with _failing_closed():
                await self._tokens.hit(self._budget(identity), identity.account, cost=tokens)

    async def has_budget(self, identity: Identity) -> bool:
        """Whether any token of the day's budget is left."""
        with _failing_closed():
            return await self._tokens.test(self._budget(identity), identity.account)

    async def seconds_to_budget(self, identity: Identity) -> int:
        """Whole seconds, at least 1, until an account without budget has all of it again."""
        with _failing_closed():
            stats = await self._tokens.get_window_stats(self._budget(identity), identity.account)
        return _seconds_until(stats.reset_time)

    async def close(self) -> None:
        """Close the connections to Redis; for memory there is nothing to do."""
        bridge = getattr(self._storage, "bridge", None)
        if bridge is not None:
            await bridge.storage.aclose()

    def _budget(self, identity: Identity) -> RateLimitItemPerDay:
        return RateLimitItemPerDay(identity.allowance.tokens_per_day or self._tokens_per_day, namespace="tokens")


def _open(uri: str) -> Storage:
    options = _REDIS_OPTIONS if uri.startswith("async+redis") else {}
    try:
        storage = storage_from_string(uri, wrap_exceptions=True, **options)
    except (StorageConfigurationError, ValueError) as error:
        raise ConfigurationError(
            f"LLMOPS_ACCESS_LIMIT_STORAGE: {type(error).__name__}; see llmops/settings.py"
        ) from error
    if not isinstance(storage, Storage):
        raise ConfigurationError("LLMOPS_ACCESS_LIMIT_STORAGE: blocks the service; write `async+` before the scheme")
    return storage


def _seconds_until(moment: float) -> int:
    return max(1, math.ceil(moment - time.time()))


@contextmanager
def _failing_closed() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise AccessUnavailableError("the storage of limits does not answer; nobody is let in") from error
