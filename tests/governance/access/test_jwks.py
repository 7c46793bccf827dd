"""The provider's key set while keys change and the provider fails."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.errors import AccessUnavailableError, BadTokenError
from llmops.governance.access.jwks import KeySet
from tests.governance.access.provider import Provider, make_key, public_jwk, running_provider

OLD, NEW = public_jwk(make_key("ES256"), "old"), public_jwk(make_key("ES256"), "new")


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        """The time."""
        return self.seconds


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        provider.keys = [OLD]
        yield provider


def run(test: Callable[[KeySet, Clock], Coroutine[Any, Any, None]], source: str) -> None:
    clock = Clock()
    asyncio.run(test(KeySet(source, clock=clock), clock))


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_a_rotated_key_is_found_after_a_minute_at_most(provider: Provider) -> None:
    async def rotate(keys: KeySet, clock: Clock) -> None:
        assert (await keys.find("old")).key_id == "old"
        provider.keys = [OLD, NEW]
        clock.seconds += 59
        with pytest.raises(BadTokenError):
            await keys.find("new")

        clock.seconds += 1

        assert (await keys.find("new")).key_id == "new"

    run(rotate, provider.address)


def test_unknown_keys_cost_the_provider_one_fetch_a_minute(provider: Provider) -> None:
    async def flood(keys: KeySet, clock: Clock) -> None:
        for _ in range(3):
            for number in range(100):
                with pytest.raises(BadTokenError):
                    await keys.find(f"made up {number}")
            clock.seconds += 60

    run(flood, provider.address)

    assert provider.fetches == 3


def test_tokens_that_come_together_share_one_fetch(provider: Provider) -> None:
    async def come_together(keys: KeySet, clock: Clock) -> None:
        found = await asyncio.gather(*(keys.find("old") for _ in range(50)))
        assert {key.key_id for key in found} == {"old"}

    run(come_together, provider.address)

    assert provider.fetches == 1


def test_a_client_that_hangs_up_does_not_end_the_fetch_of_others(provider: Provider) -> None:
    async def hang_up(keys: KeySet, clock: Clock) -> None:
        first, second = asyncio.create_task(keys.find("old")), asyncio.create_task(keys.find("old"))
        await asyncio.sleep(0)
        first.cancel()

        assert (await second).key_id == "old"

    run(hang_up, provider.address)


def test_a_withdrawn_key_goes_and_nobody_waits_for_that(provider: Provider) -> None:
    async def withdraw(keys: KeySet, clock: Clock) -> None:
        await keys.find("old")
        provider.keys = [NEW]
        clock.seconds += 300
        assert (await keys.find("old")).key_id == "old"  # what is at hand, while the new set is on its way

        assert (await keys.find("new")).key_id == "new"
        with pytest.raises(BadTokenError):
            await keys.find("old")

    run(withdraw, provider.address)


@pytest.mark.parametrize(
    "answer",
    [
        (500, b""),
        (302, b""),
        (200, b"<html>down for maintenance</html>"),
        (200, b"\xff\xfe"),
        (200, b"[]"),
        (200, b'{"keys": []}'),
        (200, b'{"keys": [{"kty": "oct"}]}'),
        (200, b'{"keys": 7}'),
        (200, b"{}"),
    ],
)
def test_a_provider_that_fails_is_outlived_for_an_hour(provider: Provider, answer: tuple[int, bytes]) -> None:
    async def outlive(keys: KeySet, clock: Clock) -> None:
        await keys.find("old")
        provider.answer = answer
        clock.seconds += 3_599
        assert (await keys.find("old")).key_id == "old"
        await until(lambda: provider.fetches == 2)

        clock.seconds += 6
        with pytest.raises(AccessUnavailableError):
            await keys.find("old")

        provider.answer = None
        clock.seconds += 5
        assert (await keys.find("old")).key_id == "old"

    run(outlive, provider.address)


def test_a_provider_that_is_down_at_first_is_tried_every_five_seconds(provider: Provider) -> None:
    provider.answer = (503, b"")

    async def wait(keys: KeySet, clock: Clock) -> None:
        for _ in range(10):
            with pytest.raises(AccessUnavailableError):
                await keys.find("old")
        assert provider.fetches == 1
        provider.answer = None
        clock.seconds += 5

        assert (await keys.find("old")).key_id == "old"

    run(wait, provider.address)


def test_the_event_loop_goes_on_while_a_provider_is_slow() -> None:
    released = threading.Event()

    class Slow(Provider):
        def verify_request(self, *_: Any) -> bool:
            """Let nothing through for now."""
            return released.wait(timeout=10)

    async def go_on(address: str) -> None:
        finding = asyncio.create_task(KeySet(address).find("old"))
        for _ in range(100):
            await asyncio.sleep(0.001)
        assert not finding.done()
        released.set()
        assert (await finding).key_id == "old"

    with Slow() as provider:
        provider.keys = [OLD]
        thread = threading.Thread(target=provider.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            asyncio.run(go_on(provider.address))
        finally:
            provider.shutdown()
            thread.join()


def test_a_file_is_a_key_set_too(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"

    async def read(keys: KeySet, clock: Clock) -> None:
        with pytest.raises(AccessUnavailableError):
            await keys.find("old")
        path.write_text(json.dumps({"keys": [OLD]}))
        clock.seconds += 5

        assert (await keys.find("old")).key_id == "old"

    run(read, str(path))
