"""Dockerfiles and compose file, as far as they can be checked without an engine."""

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.settings import Settings
from serving.settings import ServingSettings

_ROOT = Path(__file__).parents[2]
_COMPOSE = _ROOT / "docker-compose.yml"
_DOCKERFILES = sorted(_ROOT.glob("docker/*/Dockerfile"))
_READ_BY_DAGS = {"LLMOPS_PROJECT", "LLMOPS_SCHEDULE", "LLMOPS_SOURCE"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(_COMPOSE.read_text())
    return content


def _instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Name and arguments of every instruction."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())]


def test_the_compose_file_is_valid() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(_COMPOSE)]

    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


def test_every_volume_is_declared_and_used(compose: dict[str, Any]) -> None:
    used = {volume.split(":")[0] for service in compose["services"].values() for volume in service["volumes"]}

    assert used == set(compose["volumes"])


def test_the_private_key_stays_out_of_the_service(compose: dict[str, Any]) -> None:
    mounts = compose["services"]["serving"]["volumes"]

    assert all(mount.endswith(":ro") for mount in mounts)
    assert not any(mount.startswith("signing-key") for mount in mounts)


def test_every_variable_is_in_the_example_and_secrets_have_no_value() -> None:
    asked = dict(re.findall(r"\$\{(\w+)(:[?-])", _COMPOSE.read_text()))
    example = dict(re.findall(r"^(\w+)=(.*)$", (_ROOT / "docker/env.example").read_text(), flags=re.MULTILINE))

    assert set(asked) == set(example)
    assert {name for name, kind in asked.items() if kind == ":?"} == {
        name for name, value in example.items() if not value
    }
    assert all(asked[name] == ":?" for name in asked if re.search("PASSWORD|SECRET|KEY", name))


@pytest.mark.parametrize("name", ["airflow", "serving"])
def test_services_are_confined_and_watched(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert (_ROOT / service["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("dockerfile", _DOCKERFILES, ids=lambda path: path.parent.name)
def test_what_an_image_copies_exists_and_reaches_the_build(dockerfile: Path) -> None:
    ignored = (_ROOT / ".dockerignore").read_text().splitlines()
    let_in = [line[1:] for line in ignored if line.startswith("!")]
    copies = [rest.split() for name, rest in _instructions(dockerfile) if name == "COPY" and "--from=" not in rest]
    sources = [word for words in copies for word in words[:-1] if not word.startswith("--")]

    assert sources
    for source in sources:
        assert (_ROOT / source).exists(), source
        assert any(fnmatch(source, pattern) for pattern in let_in), source


@pytest.mark.parametrize("dockerfile", _DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_runs_without_rights_and_holds_no_secret(dockerfile: Path) -> None:
    instructions = _instructions(dockerfile)

    assert [rest for name, rest in instructions if name == "USER"] == ["10001:10001"]
    assert "HEALTHCHECK" in {name for name, _ in instructions}
    variables = " ".join(rest for name, rest in instructions if name in {"ENV", "ARG"})
    assert not re.search(r"(PASSWORD|SECRET|TOKEN)=", variables)


def test_every_setting_that_is_given_exists(compose: dict[str, Any]) -> None:
    known = {f"LLMOPS_{name.upper()}" for name in Settings.model_fields}
    known |= {f"LLMOPS_SERVING_{name.upper()}" for name in ServingSettings.model_fields} | _READ_BY_DAGS
    texts = [rest for path in _DOCKERFILES for name, rest in _instructions(path) if name == "ENV"]
    given = set(re.findall(r"(LLMOPS_\w+)=", " ".join(texts)))
    given |= {name for service in compose["services"].values() for name in service["environment"] if "LLMOPS" in name}

    assert given
    assert given <= known


def test_airflow_does_not_start_without_a_password() -> None:
    script = _ROOT / "docker/airflow/start.sh"

    result = subprocess.run(["sh", str(script)], env={}, capture_output=True, text=True, check=False)

    assert result.returncode != 0
    assert "set the password" in result.stderr
