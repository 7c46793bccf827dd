"""Releases change under a running service: without a dropped answer, and with the same users on the same side."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from llmops.errors import Refused
from llmops.manifest import Manifest
from llmops.publishing import pointers, releases
from llmops.publishing.canary.config import CanaryConfig
from llmops.publishing.pointers import ChallengerPointer, Pointer
from llmops.publishing.rollback import rollback
from llmops.settings import Settings
from serving.models import Lineup, Model
from tests.publishing.small_lake import make_adapter, make_decision, publish
from tests.serving.conftest import ServeLake, figure, poll

_QUESTION = "Where is my parcel?"


@pytest.fixture
def next_release(settings: Settings, tiny_model_folder: Path, tmp_path: Path) -> Callable[[], Manifest]:
    """Publishes another release, which becomes the champion."""

    def make() -> Manifest:
        champion = releases.read_champion(settings.lake, settings.trusted_key)
        assert champion is not None
        folder = tmp_path / f"adapter-{champion.pointer.sequence}"
        make_adapter(tiny_model_folder, folder, seed=champion.pointer.sequence + 1)
        return publish(
            settings, make_decision(settings, folder, training_seed=champion.pointer.sequence, champion=champion)
        )

    return make


@dataclass
class Asking:
    """Somebody who asks without a pause."""

    client: httpx.Client
    versions: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> "Asking":
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._ends.is_set():
            with self.client.stream("POST", "/generate", json={"prompt": _QUESTION, "stream": True}) as response:
                text = response.read().decode()
            if response.status_code == 200 and "event: done" in text:
                self.versions.append(text.split('"model":"')[1].split('"')[0])
            else:
                self.failures.append(text)


def version(settings: Settings) -> str:
    champion = releases.read_champion(settings.lake, settings.trusted_key)
    assert champion is not None
    return champion.record.version


def is_ready_with(client: httpx.Client, wanted: str) -> Callable[[], bool]:
    return lambda: bool(client.get("/readyz").json()["model"] == wanted)


@pytest.mark.parametrize("engine", ["transformers", "openvino"])
def test_releases_change_and_go_back_without_a_dropped_answer(
    engine: str, settings: Settings, next_release: Callable[[], Manifest], serve_lake: ServeLake
) -> None:
    client = serve_lake(settings, engine=engine)
    first = version(settings)
    with Asking(client) as asking:
        next_release()
        second = version(settings)
        poll(is_ready_with(client, second))
        told = rollback(settings=settings)
        poll(is_ready_with(client, first))
        poll(lambda: asking.versions[-1:] == [first])

    assert first != second
    assert told.startswith(f"{first} is champion again")
    assert asking.failures == []
    assert [name for name, _ in itertools.groupby(asking.versions)] == [first, second, first]
    names = [item["id"] for item in client.get("/v1/models").json()["data"]]
    assert second not in names


def test_rollbacks_go_further_back_each_time(settings: Settings, next_release: Callable[[], Manifest]) -> None:
    first = version(settings)
    next_release()
    second = version(settings)
    next_release()

    found = [rollback(settings=settings) and version(settings) for _ in range(2)]

    assert found == [second, first]
    pointer = pointers.read(Pointer, settings.lake, settings.trusted_key)
    assert pointer is not None
    assert pointer.sequence == 5
    with pytest.raises(Refused, match="no champion before"):
        rollback(settings=settings)


def test_an_older_pointer_put_back_by_hand_is_not_followed(
    settings: Settings, next_release: Callable[[], Manifest], serve_lake: ServeLake
) -> None:
    old = Path(settings.lake, "champion.json").read_bytes()
    next_release()
    client = serve_lake(settings)
    served = client.get("/readyz").json()["model"]

    Path(settings.lake, "champion.json").write_bytes(old)

    poll(lambda: figure(client, "llmops_lineup_refused_total") > 0)
    assert client.get("/readyz").json()["model"] == served
    assert client.post("/generate", json={"prompt": _QUESTION}).json()["model"] == served


def test_damaged_change_leaves_what_is_served(settings: Settings, serve_lake: ServeLake) -> None:
    client = serve_lake(settings)
    served = client.get("/readyz").json()["model"]

    Path(settings.lake, "champion.json").write_text("{")

    poll(lambda: figure(client, "llmops_lineup_refused_total") > 0)
    assert client.post("/generate", json={"prompt": _QUESTION}).json()["model"] == served


def challenge(settings: Settings, release: Manifest, share: float, sequence: int = 1) -> None:
    """Name a challenger of the present champion."""
    champion = releases.read_champion(settings.lake, settings.trusted_key)
    assert champion is not None
    pointer = ChallengerPointer(
        sequence=sequence,
        version=releases.read_record(release).version,
        release=releases.relative_to(settings.lake, release.uri),
        digest=release.digest,
        champion=champion.pointer.sequence,
        share=share,
        since=datetime.now(UTC),
        config=CanaryConfig(),
    )
    pointers.write(pointer, settings.lake, settings.signing_key)


def test_challenger_answers_its_share_of_users_and_always_the_same(
    settings: Settings, next_release: Callable[[], Manifest], serve_lake: ServeLake
) -> None:
    release = next_release()
    challenger = version(settings)
    rollback(settings=settings)
    champion = version(settings)
    challenge(settings, release, share=0.3)
    client = serve_lake(settings)

    def answers() -> list[str]:
        bodies: list[dict[str, Any]] = [
            {"prompt": _QUESTION, "user": f"user-{number}", "max_new_tokens": 1} for number in range(100)
        ]
        return [client.post("/generate", json=body).json()["model"] for body in bodies]

    first, again = answers(), answers()
    challenge(settings, release, share=0.5, sequence=2)
    poll(lambda: figure(client, "llmops_model_share", model=challenger) == 0.5)
    more = answers()
    challenge(settings, release, share=0.0, sequence=3)
    poll(lambda: challenger not in [item["id"] for item in client.get("/v1/models").json()["data"]])
    none = answers()

    assert first == again
    assert 15 <= Counter(first)[challenger] <= 45  # 30 of 100: four standard deviations
    assert Counter(more)[challenger] > Counter(first)[challenger]
    assert all(later == challenger for earlier, later in zip(first, more, strict=True) if earlier == challenger)
    assert set(none) == {champion}


def test_a_challenger_that_has_ended_cannot_be_put_back(
    settings: Settings, next_release: Callable[[], Manifest], serve_lake: ServeLake
) -> None:
    release = next_release()
    rollback(settings=settings)
    challenge(settings, release, share=0.5)
    old = Path(settings.lake, "challenger.json").read_bytes()
    challenge(settings, release, share=0.0, sequence=2)
    client = serve_lake(settings)

    Path(settings.lake, "challenger.json").write_bytes(old)

    poll(lambda: figure(client, "llmops_lineup_refused_total") > 0)
    assert figure(client, "llmops_model_share") == 1
    assert figure(client, "llmops_model_share", model=version(settings)) == 1


def test_share_is_kept_to_over_many_users() -> None:
    model = Model("a", None, None)  # type: ignore[arg-type] # only its name counts here
    lineup = Lineup(model, model, Model("b", None, None), share=0.05)  # type: ignore[arg-type]

    found = sum(lineup.choose("champion", f"user-{number}") is lineup.challenger for number in range(100_000))

    assert 4_700 <= found <= 5_300  # 5,000: more than four standard deviations


def test_challenger_that_does_not_verify_is_left_out(
    settings: Settings,
    next_release: Callable[[], Manifest],
    serve_lake: ServeLake,
    tiny_model_folder: Path,
    tmp_path: Path,
) -> None:
    champion = releases.read_champion(settings.lake, settings.trusted_key)
    make_adapter(tiny_model_folder, tmp_path / "zero", changes_answers=False)
    release = publish(
        settings, make_decision(settings, tmp_path / "zero", training_seed=9, champion=champion), name="useless"
    )
    rollback(settings=settings)
    challenge(settings, release, share=0.5)

    client = serve_lake(settings)

    users = [{"prompt": _QUESTION, "user": f"user-{number}", "max_new_tokens": 1} for number in range(20)]
    assert {client.post("/generate", json=body).json()["model"] for body in users} == {version(settings)}
