"""The service as it is deployed: `python -m serving` in a process of its own."""

import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from llmops.governance.access.roles import Role
from llmops.settings import Settings
from tests.serving.conftest import is_ready, make_key, poll
from tests.serving.service_process import address, lines, run_service

_SECRET = "secretword"


def _headers(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_key(settings, Role.DEVELOPER)}"}


def test_a_terminated_service_finishes_what_runs_and_logs_no_text(published: Settings, tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    with (
        run_service(published, log) as process,
        httpx.Client(base_url=address(log, process), headers=_headers(published), timeout=60) as client,
    ):
        poll(lambda: is_ready(client), timeout_seconds=180)
        client.post("/generate", json={"prompt": _SECRET, "context": _SECRET, "promt": _SECRET})
        client.get(f"/{_SECRET}")
        question = {"prompt": _SECRET, "model": "base", "max_new_tokens": 980}

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(client.post, "/generate", json=question)
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            answer = running.result()
        status = process.wait(timeout=30)

    assert answer.status_code == 200
    assert answer.json()["usage"]["completion_tokens"] == 980
    assert status == 0
    assert _SECRET not in log.read_text()
    assert "Traceback" not in log.read_text()
    (line,) = [line for line in lines(log) if "gen_ai" in line]
    assert line["gen_ai"] == {
        "operation": {"name": "chat"},
        "request": {"model": "base", "max_tokens": 980, "temperature": 0.0},
        "response": {"id": answer.json()["id"], "model": answer.json()["model"], "finish_reasons": ["length"]},
        "usage": {"input_tokens": answer.json()["usage"]["prompt_tokens"], "output_tokens": 980},
    }
    assert line["event"]["duration"] > 300e6  # nanoseconds
    refused = [line for line in lines(log) if line.get("error") and "http" in line]
    assert [(line["http"]["response"]["status_code"], line["error"]["type"]) for line in refused] == [
        (422, "invalid_request"),
        (404, "not_found"),
    ]


def test_a_changed_adapter_ends_the_service_with_the_reason(published: Settings, tmp_path: Path) -> None:
    lake, log = tmp_path / "lake", tmp_path / "service.log"
    shutil.copytree(published.lake, lake)
    (adapter,) = lake.glob("releases/*/attempt-*/adapter_model.safetensors")
    adapter.write_bytes(adapter.read_bytes()[:-1] + b"\x00")

    with run_service(published, log, LLMOPS_LAKE=str(lake)) as process:
        status = process.wait(timeout=180)

    assert status == 1
    last = log.read_text().splitlines()[-1]
    assert last.startswith("error: ")
    assert "adapter_model.safetensors differs from its manifest" in last
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("value", ["0", "many"])
def test_a_wrong_setting_is_named(published: Settings, tmp_path: Path, value: str) -> None:
    log = tmp_path / "service.log"
    with run_service(published, log, LLMOPS_SERVING_QUEUE_SIZE=value) as process:
        status = process.wait(timeout=180)

    assert status == 1
    assert "queue_size" in log.read_text()
    assert "Traceback" not in log.read_text()
