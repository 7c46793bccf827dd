"""A whole canary: a service in a process of its own, users of its API, its log, and the controller that reads it."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from llmops.governance.access.roles import Role
from llmops.publishing import pointers, releases
from llmops.publishing.canary import commands, decisions
from llmops.publishing.canary.config import CanaryConfig, RateLimits, RatioLimits
from llmops.publishing.pointers import ChallengerPointer
from llmops.settings import Settings
from tests.publishing.small_lake import make_decision, publish
from tests.serving.conftest import figure, is_ready, make_key, poll
from tests.serving.service_process import address, lines, run_service

_QUESTION = "Where is my parcel?"
_WIDE = RateLimits(promote_below=0.5)
_CONFIG = CanaryConfig(
    shares=(0.1, 0.5),
    answers_needed=(5, 40),
    most_answers=200,  # whatever happens, it ends
    alpha=0.4,
    promotion_alpha=0.1,
    error=_WIDE,
    refusal=_WIDE,
    latency=RatioLimits(roll_back_above=2, promote_below=4),  # one slow moment must not decide it
)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With a folder for logs where the controller looks for them."""
    (settings.home / "run").mkdir()
    return settings


@pytest.fixture
def serve(settings: Settings) -> Iterator[Callable[..., httpx.Client]]:
    """Starts the service and gives a client."""
    with ExitStack() as stack:

        def start(**environment: str) -> httpx.Client:
            log = settings.home / "run/service.log"
            variables = {
                "LLMOPS_HOME": str(settings.home),
                "LLMOPS_ACCESS_REQUESTS_PER_MINUTE": "1000000",
                "LLMOPS_SERVING_FOLLOW_SECONDS": "0.1",
                **environment,
            }
            process = stack.enter_context(run_service(settings, log, **variables))
            headers = {"Authorization": f"Bearer {make_key(settings, Role.DEVELOPER)}"}
            client = stack.enter_context(httpx.Client(base_url=address(log, process), headers=headers, timeout=60))
            poll(lambda: is_ready(client), timeout_seconds=180)
            return client

        yield start


def challenge(settings: Settings, adapter_folder: Path, config: CanaryConfig) -> str:
    """Publish another release with the very same adapter as the champion's challenger; its version."""
    champion = releases.read_champion(settings.lake, settings.trusted_key)
    decision = make_decision(settings, adapter_folder, training_seed=1, champion=champion)
    return releases.read_record(publish(settings, decision, trial=config)).version


@dataclass
class Users:
    """Two at a time ask one question each, and rate the answer if they are told how, until the block ends."""

    client: httpx.Client
    rating: Callable[[str], str] | None = None
    """What a user says about an answer of that model."""
    models: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> "Users":
        self._ends, self._names = threading.Event(), itertools.count()
        self._threads = [threading.Thread(target=self._ask) for _ in range(2)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._ends.is_set():
            user = f"user-{next(self._names)}"
            answer = self._post("/generate", {"prompt": _QUESTION, "user": user, "max_new_tokens": 2})
            if answer is None:
                continue
            self.models.append(answer["model"])
            if self.rating:
                said = {"id": answer["id"], "user": user, "rating": self.rating(answer["model"]), "consent": False}
                self._post("/v1/feedback", said)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        response = self.client.post(path, json=body)
        if response.is_success:
            content: dict[str, Any] = response.json()
            return content
        self.failures.append(response.text)
        return None


def is_serving(client: httpx.Client, version: str) -> Callable[[], bool]:
    return lambda: bool(client.get("/readyz").json()["model"] == version)


def test_an_equal_challenger_answers_more_and_more_and_becomes_champion(
    settings: Settings, adapter_folder: Path, serve: Callable[..., httpx.Client]
) -> None:
    client = serve()
    champion = client.get("/readyz").json()["model"]

    with Users(client) as users:
        poll(lambda: len(users.models) > 10)
        before = list(users.models)
        challenger = challenge(settings, adapter_folder, _CONFIG)
        told = commands.watch(seconds=0.2, settings=settings)
        poll(is_serving(client, challenger))
        asked = len(users.models)
        poll(lambda: len(users.models) > asked + 10)

    assert told.startswith(f"{challenger} is champion now, in place of {champion}")
    assert users.failures == []
    assert set(before) == {champion}
    assert set(users.models) == {champion, challenger}
    assert set(users.models[asked + 2 :]) == {challenger}  # two may have been under way
    pointer = pointers.read(ChallengerPointer, settings.lake, settings.trusted_key)
    assert pointer is not None
    assert (pointer.share, pointer.sequence) == (0.5, 2)  # it was 0.1 first
    (decision,) = decisions.kept(settings.lake)
    assert decision["decision"] == "promote"
    assert decision["answers"]["challenger"] >= 45
    assert decision["metrics"]["error"]["challenger"]["bad"] == 0


def test_a_challenger_whose_answers_are_rated_bad_is_rolled_back(
    settings: Settings, adapter_folder: Path, serve: Callable[..., httpx.Client]
) -> None:
    client = serve()
    champion = client.get("/readyz").json()["model"]
    challenger = challenge(settings, adapter_folder, _CONFIG.model_copy(update={"shares": (0.3, 0.5)}))

    with Users(client, lambda model: "bad" if model == challenger else "good") as users:
        told = commands.watch(seconds=0.2, settings=settings)
        poll(lambda: figure(client, "llmops_model_share", model=champion) == 1)
        asked = len(users.models)
        poll(lambda: len(users.models) > asked + 10)

    assert "proven worse on bad_rating" in told
    assert users.failures == []
    assert challenger in users.models[:asked]
    assert set(users.models[asked + 2 :]) == {champion}
    pointer = pointers.read(ChallengerPointer, settings.lake, settings.trusted_key)
    assert pointer is not None
    assert pointer.share == 0
    (decision,) = decisions.kept(settings.lake)
    ratings = decision["metrics"]["bad_rating"]
    # Six blocks without a loss win ten times the money (tests/publishing/canary/site.py); each needs a rating of both.
    assert ratings["challenger"]["bad"] == ratings["challenger"]["count"] >= 6
    assert ratings["control"]["bad"] == 0
    assert ratings["blocks"] == 6


def test_the_log_tells_failures_of_the_model_from_those_of_its_callers(
    settings: Settings, serve: Callable[..., httpx.Client]
) -> None:
    client = serve(LLMOPS_SERVING_REQUEST_TIMEOUT_SECONDS="1")
    long = {"prompt": _QUESTION, "model": "base", "max_new_tokens": 980, "stream": True}  # takes longer than a second
    with client.stream("POST", "/generate", json=long) as late:
        assert "event: error" in late.read().decode()
    with client.stream("POST", "/generate", json={**long, "temperature": 1}) as left:  # or it says one word all along
        next(left.iter_lines())
    client.post("/generate", json={"prompt": "word " * 1_100})
    whole = client.post("/generate", json={"prompt": _QUESTION}).json()

    def access_lines() -> list[dict[str, Any]]:
        found = lines(settings.home / "run/service.log")
        return [line for line in found if line.get("event", {}).get("dataset") == "llmops.access"]

    poll(lambda: len(access_lines()) == 4)
    told = {
        (
            line["http"]["response"]["status_code"],
            line.get("error", {}).get("type"),
            "finish_reasons" in line["gen_ai"]["response"],
            line.get("llmops", {}).get("answer", {}).get("is_refusal"),
        )
        for line in access_lines()
    }
    assert told == {
        (200, "timeout", False, None),
        (200, "client_gone", False, None),
        (422, "prompt_too_long", False, None),
        (200, None, True, False),
    }
    served = {
        line["gen_ai"]["response"]["model"] for line in access_lines() if line["gen_ai"]["request"]["model"] != "base"
    }
    assert served == {whole["model"]}
