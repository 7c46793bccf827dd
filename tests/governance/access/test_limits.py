"""Requests a minute and tokens a day, counted in memory and, where a Redis server is installed, in Redis."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
import redis

from llmops.errors import AccessUnavailableError, ConfigurationError
from llmops.governance.access.identity import Allowance, Identity
from llmops.governance.access.limits import Limits
from llmops.governance.access.roles import Role
from scripts.loopback import free_port

DEFAULT = Allowance(requests_per_minute=6, tokens_per_day=1_000)
STORAGES = ["memory", *(["redis"] if shutil.which("redis-server") else [])]
MINUTE_START = 1_800_000_000.0
"""Seconds since 1970 at which a minute starts, and so a window of requests."""


class Clock:
    """The time of the whole process, as far as `time.time` goes; it passes when told to."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        """The time."""
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(MINUTE_START)
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture(scope="module")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port, folder = free_port(16_379), tmp_path_factory.mktemp("redis")
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server, redis.Redis(port=port) as client:
        try:
            _wait_for(client)
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> str:
    """An empty storage, by its address."""
    if request.param == "memory":
        return "async+memory://"
    address: str = request.getfixturevalue("redis_address")
    with redis.Redis.from_url(address) as client:
        client.flushall()
    return f"async+{address}"


def _wait_for(client: redis.Redis) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def identity(account: str = "key:1", **limits: int) -> Identity:
    return Identity("shop", Role.USER, credential=account, account=account, allowance=Allowance(**limits))


def run(storage: str, test: Callable[[Limits], Awaitable[None]]) -> None:
    async def run_and_close() -> None:
        limits = Limits(storage, default=DEFAULT)
        try:
            await test(limits)
        finally:
            await limits.close()

    asyncio.run(run_and_close())


def test_a_minute_admits_its_number_and_each_account_has_its_own(storage: str) -> None:
    async def ask(limits: Limits) -> None:
        answers = [await limits.admit(identity(requests_per_minute=40)) for _ in range(45)]
        others = [await limits.admit(identity("key:2")) for _ in range(7)]

        assert answers[:40] == [0] * 40
        assert all(1 <= wait <= 60 for wait in answers[41:])
        assert others[:6] == [0] * 6
        assert 1 <= others[6] <= 60

    run(storage, ask)


def test_requests_that_come_together_are_counted_one_by_one(storage: str) -> None:
    async def ask(limits: Limits) -> None:
        answers = await asyncio.gather(*(limits.admit(identity(requests_per_minute=50)) for _ in range(200)))

        assert answers.count(0) == 50

    run(storage, ask)


def test_slots_come_back_evenly_over_the_next_minute(clock: Clock) -> None:
    async def ask(limits: Limits) -> None:
        assert [await limits.admit(identity()) for _ in range(6)] == [0] * 6
        clock.seconds = MINUTE_START + 15
        assert await limits.admit(identity()) == 45  # to the end of the minute

        # In the next minute the six of the last one weigh 6 * (1 - elapsed / 60), rounded down: 5 from its start on,
        # 4 after ten seconds, 3 after twenty. So one slot comes back every ten seconds.
        for start in (60.5, 70.5, 80.5):
            clock.seconds = MINUTE_START + start
            assert await limits.admit(identity()) == 0
            assert await limits.admit(identity()) == 10  # 9.5, in whole seconds

    run("async+memory://", ask)


def test_refused_requests_count_for_nothing(clock: Clock) -> None:
    async def ask(limits: Limits) -> None:
        for _ in range(1_000):
            await limits.admit(identity())
        clock.seconds += 120

        assert [await limits.admit(identity()) for _ in range(6)] == [0] * 6

    run("async+memory://", ask)


def test_a_budget_is_spent_to_its_last_token(storage: str) -> None:
    async def spend(limits: Limits) -> None:
        assert await limits.has_budget(identity())
        await limits.spend(identity(), 999)
        assert await limits.has_budget(identity())
        await limits.spend(identity(), 1)
        assert not await limits.has_budget(identity())
        assert 86_390 <= await limits.seconds_to_budget(identity()) <= 86_400
        assert await limits.has_budget(identity("key:2"))

    run(storage, spend)


def test_a_key_may_have_a_budget_of_its_own(storage: str) -> None:
    async def spend(limits: Limits) -> None:
        small, large = identity("key:small", tokens_per_day=10), identity("key:large", tokens_per_day=5_000)
        for one in (small, large):
            await limits.spend(one, 2_000)

        assert not await limits.has_budget(small)
        assert await limits.has_budget(large)

    run(storage, spend)


def test_what_was_overdrawn_together_is_counted(storage: str) -> None:
    async def spend(limits: Limits) -> None:
        account = identity(tokens_per_day=100)
        await asyncio.gather(*(limits.spend(account, 60) for _ in range(5)))

        assert not await limits.has_budget(account)

    run(storage, spend)


def test_an_answer_without_tokens_costs_nothing(storage: str) -> None:
    async def spend(limits: Limits) -> None:
        account = identity(tokens_per_day=1)
        await limits.spend(account, 0)

        assert await limits.has_budget(account)

    run(storage, spend)


def test_a_budget_comes_back_a_day_after_its_first_token(clock: Clock) -> None:
    async def spend(limits: Limits) -> None:
        clock.seconds += 3_600
        await limits.spend(identity(), 600)
        clock.seconds += 86_000
        await limits.spend(identity(), 600)
        assert not await limits.has_budget(identity())
        assert await limits.seconds_to_budget(identity()) == 400

        clock.seconds += 400

        assert await limits.has_budget(identity())

    run("async+memory://", spend)


def test_a_storage_that_does_not_answer_lets_nobody_in() -> None:
    async def ask(limits: Limits) -> None:
        for attempt in (
            limits.admit(identity()),
            limits.has_budget(identity()),
            limits.spend(identity(), 1),
            limits.seconds_to_budget(identity()),
        ):
            with pytest.raises(AccessUnavailableError):
                await attempt

    run(f"async+redis://127.0.0.1:{free_port(16_400)}", ask)


def test_a_storage_that_hangs_is_not_waited_for() -> None:
    async def ask(limits: Limits) -> None:
        with pytest.raises(AccessUnavailableError):
            await asyncio.wait_for(limits.admit(identity()), timeout=10)

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        run(f"async+redis://127.0.0.1:{silent.getsockname()[1]}", ask)


@pytest.mark.parametrize("address", ["memory://", "async+nothing://", "nowhere", "async+redis://:secret@host:port"])
def test_an_address_that_cannot_count_is_a_wrong_setting(address: str) -> None:
    with pytest.raises(ConfigurationError, match="LLMOPS_ACCESS_LIMIT_STORAGE") as caught:
        Limits(address, default=DEFAULT)

    assert "secret" not in str(caught.value)


def test_both_defaults_are_needed() -> None:
    with pytest.raises(ConfigurationError, match="both"):
        Limits("async+memory://", default=Allowance(requests_per_minute=6))


if "redis" in STORAGES:

    def test_several_services_share_their_counts_in_redis(redis_address: str) -> None:
        async def ask(first: Limits) -> None:
            second = Limits(f"async+{redis_address}", default=DEFAULT)
            account = identity("key:shared", requests_per_minute=10, tokens_per_day=100)
            answers = [await one.admit(account) for _ in range(10) for one in (first, second)]
            await first.spend(account, 100)

            assert answers[:10] == [0] * 10
            assert 0 not in answers[12:]
            assert not await second.has_budget(account)
            await second.close()

        run(f"async+{redis_address}", ask)
