"""Several API processes beside one engine, on one port: as `LLMOPS_SERVING_PROCESSES=2 python -m serving` runs them."""

import itertools
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from llmops.governance.access.roles import Role
from llmops.manifest import Manifest
from llmops.publishing.rollback import rollback
from llmops.settings import Settings
from tests.publishing.small_lake import make_decision, make_lake, publish
from tests.serving import test_lineup
from tests.serving.conftest import ServeLake, figure, make_key, poll
from tests.serving.service_process import address, lines, run_service
from tests.serving.test_lineup import Asking, version

next_release = test_lineup.next_release

_QUESTION = "Where is my parcel?"
_LONG = {"prompt": _QUESTION, "model": "base", "max_new_tokens": 200}
_QUEUE = 12


@dataclass
class Deployed:
    """A running service with two API processes."""

    process: "subprocess.Popen[bytes]"
    url: str
    headers: dict[str, str]
    log: Path

    def client(self) -> httpx.Client:
        """A client with connections of its own."""
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=60, verify=False)  # noqa: S501 - no TLS here

    def ask(self, **changes: object) -> httpx.Response:
        """One question over a connection of its own."""
        with self.client() as client:
            return client.post("/generate", json={"prompt": _QUESTION, **changes})

    def figure(self, name: str, **labels: str) -> float:
        """A metric as whichever process answers tells it."""
        with self.client() as client:
            return figure(client, name, **labels)

    def processes(self, module: str = "") -> list[psutil.Process]:
        """Everything that the service has started and that runs, or only the processes of a module."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [item for item in found if item.is_running() and module in " ".join(item.cmdline())]

    def is_whole(self) -> bool:
        """Whether both API processes take connections."""
        listening = [item for item in self.processes("serving.processes.api") if _connections(item, "LISTEN")]
        return len(listening) == 2


def _connections(process: psutil.Process, status: str) -> int:
    try:
        return sum(item.status == status for item in process.net_connections("tcp"))
    except psutil.NoSuchProcess:
        return 0


@contextmanager
def _deployed(platform: Settings, folder: Path, **environment: str) -> Iterator[Deployed]:
    given = {
        "LLMOPS_ENVIRONMENT": "development",
        "LLMOPS_ACCESS_REQUESTS_PER_MINUTE": "1000000",
        "LLMOPS_SERVING_PROCESSES": "2",
        "LLMOPS_SERVING_QUEUE_SIZE": str(_QUEUE),
        "LLMOPS_SERVING_FOLLOW_SECONDS": "0.1",
        **environment,
    }
    log = folder / "service.log"
    with run_service(platform, log, **given) as process:
        found = Deployed(process, address(log, process), _headers(platform), log)
        poll(lambda: _loaded(log) == 2 or process.poll() is not None, timeout_seconds=180)
        assert process.poll() is None, log.read_text()
        poll(found.is_whole)
        yield found
        process.terminate()  # so that it takes its folder along
        process.wait(90)


def _headers(platform: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_key(platform, Role.DEVELOPER)}"}


def _loaded(log: Path) -> int:
    return [line["message"] for line in lines(log)].count("api.loaded")


@pytest.fixture(scope="module")
def settings(
    tiny_model: Manifest, adapter_folder: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """A lake with one champion; a test that names another one takes that back."""
    settings = make_lake(tmp_path_factory.mktemp("lake") / "home", tiny_model, empty_store)
    publish(settings, make_decision(settings, adapter_folder))
    return settings


@pytest.fixture(scope="module")
def deployed(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """One for all tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("deployed")
    variables = {
        "LLMOPS_PSEUDONYM_KEY": str(settings.pseudonym_key),
        "LLMOPS_SERVING_INTERACTIONS": str(folder / "interactions"),
    }
    with _deployed(settings, folder, **variables) as found:
        yield found


@contextmanager
def _half_started(settings: Settings, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """One whose first API process answers while another one starts."""
    variables = {"LLMOPS_ENVIRONMENT": "development", "LLMOPS_SERVING_PROCESSES": "2"}
    with run_service(settings, log, **variables) as process:
        poll(lambda: _loaded(log) == 1 or process.poll() is not None, timeout_seconds=180)
        yield process


def _are_gone(processes: list[psutil.Process]) -> Callable[[], bool]:
    return lambda: not any(item.is_running() and item.status() != psutil.STATUS_ZOMBIE for item in processes)


def test_answers_are_those_of_one_process(deployed: Deployed, settings: Settings, serve_lake: ServeLake) -> None:
    bodies = [
        {"prompt": _QUESTION, "model": model, "temperature": 1, "seed": seed}
        for seed in range(4)
        for model in ("champion", "base")
    ]
    alone = serve_lake(settings)

    expected = [alone.post("/generate", json=body).json() for body in bodies]
    found = [deployed.ask(**body).json() for body in bodies]

    kept = ("answer", "model", "finish_reason", "usage")
    assert [{name: answer[name] for name in kept} for answer in found] == [
        {name: answer[name] for name in kept} for answer in expected
    ]
    assert len({answer["answer"] for answer in found}) > 4


def test_connections_are_spread_over_the_processes(deployed: Deployed) -> None:
    with ExitStack() as held:
        clients = [held.enter_context(deployed.client()) for _ in range(60)]
        assert {client.get("/readyz").status_code for client in clients} == {200}
        shares = [_connections(item, "ESTABLISHED") for item in deployed.processes("serving.processes.api")]

    assert sum(shares) == 60
    assert min(shares) >= 12  # 30 expected: more than four standard deviations


def test_metrics_of_all_processes_are_told_by_each(deployed: Deployed) -> None:
    names = [
        ("llmops_requests_total", {"route": "/generate", "status": "200"}),
        ("llmops_requests_total", {"status": "422", "error": "invalid_request"}),
        ("llmops_answer_seconds_count", {}),
        ("llmops_time_to_first_token_seconds_bucket", {"le": "+Inf"}),
        ("llmops_tokens_total", {"kind": "completion"}),
    ]

    def figures() -> list[float]:
        return [deployed.figure(name, **labels) for name, labels in names]

    before = figures()
    answers = [deployed.ask(max_new_tokens=number).json() for number in range(1, 13)]
    assert deployed.ask(promt="typo").status_code == 422
    told = {tuple(figures()) for _ in range(8)}

    tokens = sum(answer["usage"]["completion_tokens"] for answer in answers)
    expected = [12, 1, 12, 12, tokens]
    assert told == {tuple(value + more for value, more in zip(before, expected, strict=True))}
    assert deployed.figure("llmops_model_share") == 1
    assert deployed.figure("llmops_queue_requests") == 0


def test_any_process_takes_what_is_said_of_an_answer(deployed: Deployed) -> None:
    def kept() -> list[str]:
        files = deployed.log.parent.glob("interactions/ds=*/*.jsonl")
        return [line for path in files for line in path.read_text().splitlines()]

    poll(lambda: len(kept()) == deployed.figure("llmops_interactions_total", fate="written"))
    before = len(kept())

    answer = deployed.ask(consent=True, max_new_tokens=2).json()
    said = []
    for _ in range(10):  # the same process ten times: once in 500
        with deployed.client() as client:
            body = {"id": answer["id"], "rating": "good", "consent": True}
            said.append(client.post("/v1/feedback", json=body).status_code)

    assert said == [202] * 10
    poll(lambda: deployed.figure("llmops_interactions_total", fate="written") == before + 11)
    assert len(kept()) == before + 11
    assert sum(answer["id"] in line for line in kept()) == 11
    assert deployed.figure("llmops_interactions_queued") == 0


def test_the_queue_is_the_whole_services(deployed: Deployed) -> None:
    with ThreadPoolExecutor(36) as pool:
        asked = [pool.submit(deployed.ask, **_LONG) for _ in range(36)]
        poll(lambda: deployed.figure("llmops_queue_requests") == _QUEUE)
        answers = [item.result() for item in asked]

    assert deployed.figure("llmops_queue_limit") == _QUEUE
    assert [answer.status_code for answer in answers].count(200) == _QUEUE
    refused = [answer.json()["error"]["type"] for answer in answers if answer.status_code != 200]
    assert refused == ["busy"] * (36 - _QUEUE)


@pytest.mark.slow
def test_a_killed_api_process_is_replaced_while_the_others_answer(deployed: Deployed) -> None:
    before = deployed.figure("llmops_answer_seconds_count")
    killed, other = deployed.processes("serving.processes.api")

    killed.kill()
    poll(lambda: not killed.is_running())  # its socket goes with its last thread, and only then is it reaped
    answers = [deployed.ask(max_new_tokens=2) for _ in range(10)]
    poll(lambda: deployed.figure("llmops_queue_limit") == _QUEUE / 2)  # one that is dead has no places
    poll(deployed.is_whole)
    answers += [deployed.ask(max_new_tokens=2) for _ in range(10)]

    assert {answer.status_code for answer in answers} == {200}
    assert other in deployed.processes("serving.processes.api")
    assert killed not in deployed.processes()
    poll(lambda: deployed.figure("llmops_queue_limit") == _QUEUE)
    assert deployed.figure("llmops_answer_seconds_count") == before + 20
    (line,) = [line for line in lines(deployed.log) if line["message"] == "api.ended"]
    assert (line["pid"], line["status"]) == (killed.pid, "killed by signal 9")


@pytest.mark.slow
def test_a_replacement_that_finds_nothing_to_serve_is_tried_again(deployed: Deployed, settings: Settings) -> None:
    pointer = Path(settings.lake, "champion.json")
    content = pointer.read_bytes()

    pointer.write_text("{")
    killed, _ = deployed.processes("serving.processes.api")
    killed.kill()
    poll(lambda: any(line.get("reason") for line in lines(deployed.log) if line["message"] == "api.ended"))
    answers = [deployed.ask(max_new_tokens=2) for _ in range(10)]
    pointer.write_bytes(content)
    poll(deployed.is_whole)

    assert {answer.status_code for answer in answers} == {200}
    (reason,) = {line["reason"] for line in lines(deployed.log) if line.get("reason")}
    assert "champion.json" in reason


def test_releases_change_and_go_back_in_every_process(
    deployed: Deployed, settings: Settings, next_release: Callable[[], Manifest]
) -> None:
    first = version(settings)
    with ExitStack() as held:
        clients = _clients_of_both(deployed, held)
        with ExitStack() as asking_on:
            askers = [asking_on.enter_context(Asking(client)) for client in clients]
            next_release()
            second = version(settings)
            poll(lambda: all(asker.versions[-1:] == [second] for asker in askers))
            rollback(settings=settings)
            poll(lambda: all(asker.versions[-1:] == [first] for asker in askers))

    assert [asker.failures for asker in askers] == [[]] * len(askers)
    for asker in askers:
        assert [name for name, _ in itertools.groupby(asker.versions)] == [first, second, first]
    poll(lambda: deployed.figure("llmops_model_share", model=first) == 1)
    assert deployed.figure("llmops_model_share") == 1


def _clients_of_both(deployed: Deployed, held: ExitStack) -> list[httpx.Client]:
    """Three clients with open connections, not all to the same process.

    So few that one process has places for all, twice: a place is given back a little after the answer's end.
    """
    while True:
        clients = [held.enter_context(deployed.client()) for _ in range(_QUEUE // 4)]
        assert {client.get("/readyz").status_code for client in clients} == {200}
        if min(_connections(item, "ESTABLISHED") for item in deployed.processes("serving.processes.api")) > 0:
            return clients
        for client in clients:
            client.close()


def test_terminated_under_load_it_finishes_what_runs(settings: Settings, tmp_path: Path) -> None:
    with _deployed(settings, tmp_path) as found:
        left = found.processes()
        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(found.ask, **_LONG) for _ in range(3)]
            poll(lambda: found.figure("llmops_queue_requests") == 3)
            found.process.send_signal(signal.SIGTERM)
            answers = [item.result() for item in asked]
        status = found.process.wait(timeout=90)

    assert [answer.status_code for answer in answers] == [200] * 3
    assert {answer.json()["usage"]["completion_tokens"] for answer in answers} == {200}
    assert status == 0
    assert _are_gone(left)()
    assert "Traceback" not in found.log.read_text()


@pytest.mark.slow
def test_the_engines_end_ends_everything(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    with _half_started(settings, log) as process:
        left = psutil.Process(process.pid).children(recursive=True)
        (engine,) = [item for item in left if "serving.processes.engine" in item.cmdline()]

        engine.kill()
        status = process.wait(timeout=60)

    assert status == 1
    assert _are_gone(left)()
    last = log.read_text().splitlines()[-1]
    assert last.startswith("error: the engine's process has ended (killed by signal 9)")
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
def test_a_killed_supervisor_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    with _half_started(settings, tmp_path / "service.log") as process:
        left = psutil.Process(process.pid).children(recursive=True)

        process.kill()

        assert len(left) >= 3
        poll(_are_gone(left), timeout_seconds=30)


def test_a_champion_that_does_not_verify_ends_everything_with_one_reason(settings: Settings, tmp_path: Path) -> None:
    shutil.copytree(settings.lake, tmp_path / "lake")
    for adapter in tmp_path.glob("lake/releases/*/attempt-*/adapter_model.safetensors"):
        adapter.write_bytes(adapter.read_bytes()[:-1] + b"\x00")
    variables = {"LLMOPS_ENVIRONMENT": "development", "LLMOPS_SERVING_PROCESSES": "3"}

    with run_service(settings, tmp_path / "log", **variables, LLMOPS_LAKE=str(tmp_path / "lake")) as process:
        status = process.wait(timeout=180)

    assert status == 1
    (reason,) = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("error: ")]
    assert "adapter_model.safetensors differs from its manifest" in reason


def test_limits_in_memory_are_refused_in_production(settings: Settings, tmp_path: Path) -> None:
    with run_service(settings, tmp_path / "log", LLMOPS_SERVING_PROCESSES="2") as process:
        status = process.wait(timeout=60)

    assert status == 1
    assert "LLMOPS_ACCESS_LIMIT_STORAGE=async+redis://" in (tmp_path / "log").read_text().splitlines()[-1]


def test_in_development_it_is_said_that_each_process_counts_for_itself(deployed: Deployed) -> None:
    (line,) = [line for line in lines(deployed.log) if line["message"] == "limits.counted_apart"]

    assert (line["log"]["level"] if "log" in line else line["log.level"], line["processes"]) == ("warning", 2)


def test_a_port_that_is_taken_is_refused(deployed: Deployed, settings: Settings, tmp_path: Path) -> None:
    port = deployed.url.rpartition(":")[2]
    variables = {"LLMOPS_ENVIRONMENT": "development", "LLMOPS_SERVING_PROCESSES": "2", "LLMOPS_SERVING_PORT": port}

    with run_service(settings, tmp_path / "log", **variables) as process:
        status = process.wait(timeout=60)

    assert status == 1
    assert f":{port}: cannot listen there" in (tmp_path / "log").read_text().splitlines()[-1]
