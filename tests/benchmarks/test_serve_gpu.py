"""The parts of the GPU benchmark that need no GPU: a tiny release of its making, served, and its load on it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from benchmarks.gpu import load
from benchmarks.gpu.load import Client, Plan
from benchmarks.gpu.model import SHAPES, base_folder, make_release, make_tokenizer, release_folder
from benchmarks.gpu.plan import MEAN_TOKENS, make_plan
from benchmarks.serve_gpu import Comparison
from llmops.governance.access.roles import Role
from llmops.settings import Settings
from serving.app import create_app
from serving.settings import ServingSettings
from tests.serving.conftest import is_ready, make_key, poll


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_release(tmp_path_factory.mktemp("benchmark"), SHAPES["tiny"])


@pytest.fixture(scope="module")
def plan(lake: Settings) -> Plan:
    return make_plan(base_folder(lake), release_folder(lake), full=300, streams=3, rate=20.0, concurrent=2)


@pytest.fixture(scope="module")
def address(lake: Settings) -> Iterator[str]:
    platform = lake.model_copy(update={"access_requests_per_minute": 10_000})
    settings = ServingSettings(platform=platform, threads=1, engine="transformers", customer_context=False)
    config = uvicorn.Config(create_app(settings), port=0, log_config=None, access_log=False)
    server, listening = uvicorn.Server(config), config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    found = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with httpx.Client(base_url=found) as probe:
        poll(lambda: is_ready(probe), timeout_seconds=180)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(load.KEY_VARIABLE, make_key(lake, Role.USER))
        yield found
    server.should_exit = True
    thread.join()


def test_prompts_are_as_long_as_supports_and_none_comes_twice(plan: Plan) -> None:
    lengths = [len(ids) for ids in plan.ids]

    assert sum(lengths) / len(lengths) == pytest.approx(MEAN_TOKENS, rel=0.1)
    assert len(set(plan.texts)) == len(plan.texts) == 305


def test_every_id_of_the_made_tokenizer_but_control_tokens_is_text() -> None:
    tokenizer = make_tokenizer(4096, 1024)

    assert len(tokenizer) == 4096
    assert all(tokenizer.decode([token], skip_special_tokens=True) for token in range(4093))
    assert tokenizer.decode(tokenizer("Two words.")["input_ids"]) == "Two words."


def test_load_counts_the_tokens_of_real_answers_and_times_streams(address: str, plan: Plan) -> None:
    small = Plan(plan.texts[:8], plan.ids[:8], [0.0, 0.05, 0.3], concurrent=2, max_new_tokens=5, warm_up=2)

    async def put_load() -> load.Result:
        client = Client(address, small)
        result = await load.run(small, client.ask, client.ask_streamed)
        await client.close()
        return result

    result = asyncio.run(put_load())

    assert result.tokens == 3 * 5  # two to warm up, three that count, three streams; random weights do not end
    assert len(result.first_token_seconds) == 3
    assert all(0 < seconds < result.seconds * 10 for seconds in result.first_token_seconds)
    both = zip(result.first_token_seconds, result.first_text_seconds, strict=True)
    assert all(first <= text for first, text in both)
    assert result.answer


def test_plan_survives_its_file(plan: Plan, tmp_path: Path) -> None:
    plan.write(tmp_path / "plan.json")

    assert Plan.read(tmp_path / "plan.json") == plan
    assert json.loads((tmp_path / "plan.json").read_text())["concurrent"] == 2


def test_rounds_are_compared_by_all_their_tokens_and_streams() -> None:
    slow = load.Result(tokens=1000, seconds=2.0, first_token_seconds=[0.010, 0.020, 0.030])
    fast = load.Result(tokens=1000, seconds=1.0, first_token_seconds=[0.010, 0.020, 0.030])
    comparison = Comparison([{"bare": fast, "service": slow}, {"bare": fast, "service": fast}])

    assert comparison.ratio("service") == pytest.approx((2000 / 3) / (2000 / 2))
    assert comparison.first_token_ms("bare")["p50"] == pytest.approx(20.0)
