"""`make up` and `make down`: what they print answers, and nothing outlives them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from llmops.manifest import Manifest
from scripts.local_airflow import PROJECT
from scripts.processes import Processes
from tests.publishing import conftest as publishing
from tests.publishing.small_lake import make_decision, make_lake, publish

adapter_folder, empty_store = publishing.adapter_folder, publishing.empty_store


@dataclass(frozen=True)
class Machine:
    """A home with a published release, and the commands of `make` on it."""

    home: Path
    variables: Mapping[str, str]

    def make(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run `make up` or `make down` here."""
        words = [sys.executable, "-m", "scripts.stack", command]
        return subprocess.run(words, cwd=PROJECT, env=self.variables, capture_output=True, text=True, check=False)

    @property
    def processes(self) -> Processes:
        """What runs here."""
        return Processes(self.home / "run")


@pytest.fixture
def machine(tmp_path: Path, tiny_model: Manifest, adapter_folder: Path, empty_store: Path) -> Iterator[Machine]:
    settings = make_lake(tmp_path, tiny_model, empty_store)
    publish(settings, make_decision(settings, adapter_folder))
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("LLMOPS_", "AIRFLOW_"))}
    variables |= {"LLMOPS_HOME": str(tmp_path), "LLMOPS_SCHEDULE": "none"}
    subprocess.run([sys.executable, "-m", "scripts.prepare"], cwd=PROJECT, env=variables, check=True)
    found = Machine(tmp_path, variables)
    yield found
    found.processes.stop()


@pytest.mark.timeout(900)
def test_every_printed_address_answers_until_all_is_ended(machine: Machine) -> None:
    started = machine.make("up")
    assert started.returncode == 0, started.stderr
    airflow, user, password = _found(r"Airflow +(http://\S+)  user (\S+), password (\S+)", started.stdout)
    (mlflow,) = _found(r"MLflow +(http://\S+)", started.stdout)
    (chat,) = _found(r"service +(http://\S+)", started.stdout)
    service, _, key = chat.partition("/#key=")

    with httpx.Client(timeout=60, follow_redirects=True) as client:
        page = client.get(airflow)
        login = client.post(f"{airflow}/auth/token", json={"username": user, "password": password})
        wrong = client.post(f"{airflow}/auth/token", json={"username": user, "password": f"{password}x"})
        bearer = {"Authorization": f"Bearer {login.json()['access_token']}"}
        pipeline = client.get(f"{airflow}/api/v2/dags/llmops_pipeline", headers=bearer)
        models = client.get(f"{mlflow}/api/2.0/mlflow/registered-models/search")
        answer = client.post(
            f"{service}/generate",
            json={"prompt": "Where is my parcel?"},
            headers={"Authorization": f"Bearer {key}"},
        )
        shown = client.get(chat)
    version = _by_shell(machine, "llmops show-champion")
    pools = json.loads(_by_shell(machine, "airflow pools list --output json"))
    again = machine.make("up")
    members = {item.pid for item in machine.processes.members()}
    ended = machine.make("down")

    assert page.status_code == 200
    assert (login.status_code, wrong.status_code) == (201, 401)
    assert [model["name"] for model in models.json()["registered_models"]] == ["shop-assistant"]
    assert answer.json()["model"].startswith("shop-assistant-")
    assert "Support assistant" in shown.text
    assert answer.json()["model"] in version
    assert pipeline.json()["is_paused"] is False
    assert {"feature_store", "training"} < {pool["pool"] for pool in pools}
    assert again.returncode == 1
    assert "make down" in again.stderr
    assert len(members) >= 6  # four of Airflow, MLflow, the service
    assert ended.stdout.startswith("ended: ")
    assert machine.processes.members() == set()
    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in members)
    assert machine.make("down").stdout == "nothing was running\n"


def _found(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    assert match is not None, text
    return match.groups()


def _by_shell(machine: Machine, command: str) -> str:
    """What a command prints in a shell that has read the file that `make up` names."""
    script = f". {machine.home}/env.sh && {command}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=PROJECT, env=machine.variables, capture_output=True, text=True, check=True
    )
    return done.stdout
