"""Dockerfiles and compose file, as far as they can be checked without an engine."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.settings import Settings
from serving.settings import ServingSettings

_ROOT = Path(__file__).parents[2]
_COMPOSE = _ROOT / "docker-compose.yml"
_SERVING = _ROOT / "docker/serving/Dockerfile"
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


def _stages(dockerfile: Path) -> dict[str, list[tuple[str, str]]]:
    """Instructions of every named stage, those of the stage it is built on first."""
    stages: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for name, rest in _instructions(dockerfile):
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            current = stages.setdefault(stage, []) if stage else []
            current += stages.get(base, [])
        current.append((name, rest))
    return stages


def _last(instructions: list[tuple[str, str]], wanted: str) -> str:
    return [rest for name, rest in instructions if name == wanted][-1]


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


@pytest.mark.parametrize("name", ["airflow", "serving", "serving-gpu"])
def test_services_are_confined_and_watched(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    dockerfile = _ROOT / service["build"]["dockerfile"]
    assert service["build"].get("target", "") in {"", *_stages(dockerfile)}


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
def test_an_image_holds_no_secret_and_comes_from_exact_bases(dockerfile: Path) -> None:
    instructions = _instructions(dockerfile)
    variables = " ".join(rest for name, rest in instructions if name in {"ENV", "ARG"})
    bases = re.findall(r"\w*BASE=(\S+)", " ".join(rest for name, rest in instructions if name == "ARG"))
    stages = {rest.partition(" AS ")[2] for name, rest in instructions if name == "FROM"}
    used = {rest.partition(" AS ")[0] for name, rest in instructions if name == "FROM"}

    assert not re.search(r"(PASSWORD|SECRET|TOKEN)=", variables)
    assert used <= {"${BASE}", "${CPU_BASE}", "${GPU_BASE}"} | stages
    assert bases
    assert all(re.fullmatch(r"[\w/]+(:\d+\.\d+\.\d+[\w-]*|@sha256:[0-9a-f]{64})", base) for base in bases)


@pytest.mark.parametrize("dockerfile", _DOCKERFILES, ids=lambda path: path.parent.name)
def test_a_linter_finds_nothing(dockerfile: Path) -> None:
    command = [Path(sys.executable).parent / "hadolint", "--no-color", dockerfile]

    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("target", ["cpu", "gpu", "lambda"])
def test_the_service_runs_without_rights_and_hears_signals(target: str) -> None:
    instructions = _stages(_SERVING)[target]

    assert _last(instructions, "USER") == "10001:10001"
    assert _last(instructions, "STOPSIGNAL") == "SIGTERM"
    assert _last(instructions, "ENTRYPOINT").startswith('["python", "-m", ')  # exec form: the process gets the signals
    assert ("HEALTHCHECK", "NONE") in instructions or "/readyz" in _last(instructions, "HEALTHCHECK")
    assert "curl" not in " ".join(rest for _, rest in instructions)


def test_airflow_runs_without_rights_and_is_watched() -> None:
    instructions = _instructions(_ROOT / "docker/airflow/Dockerfile")

    assert [rest for name, rest in instructions if name == "USER"] == ["10001:10001"]
    assert "HEALTHCHECK" in {name for name, _ in instructions}


def test_a_container_has_time_to_finish_its_answers(compose: dict[str, Any]) -> None:
    for name in ("serving", "serving-gpu"):
        service = compose["services"][name]
        answer = float(service["environment"]["LLMOPS_SERVING_REQUEST_TIMEOUT_SECONDS"])
        assert float(service["stop_grace_period"].removesuffix("s")) >= answer + 1 + 5  # the drain, the engine's end


def _imported_by_the_service() -> Iterator[str]:
    """Top-level modules from outside that serving/, and what it reaches in llmops/, import."""
    waiting = [".".join(path.relative_to(_ROOT).with_suffix("").parts) for path in _ROOT.glob("serving/**/*.py")]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        path = _ROOT / f"{module.replace('.', '/')}.py"
        if module in seen or not path.is_file():
            continue
        seen.add(module)
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                top = name.partition(".")[0]
                if top in {"llmops", "serving"}:
                    waiting.append(name)
                elif top not in sys.stdlib_module_names:
                    yield top


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _locked(path: Path) -> dict[str, set[str]]:
    """Versions by name; a lock for several versions of Python may have several."""
    locked: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.MULTILINE):
        locked.setdefault(_normal(name), set()).add(version)
    return locked


def test_the_service_lock_holds_what_it_imports_and_nothing_of_the_pipeline() -> None:
    locked = _locked(_ROOT / "docker/serving/cpu-requirements.lock")
    providers = packages_distributions()

    missing = {
        module
        for module in set(_imported_by_the_service()) - {"vllm"}  # the other image's
        if not {_normal(name) for name in providers.get(module, [module])} & set(locked)
    }

    assert missing == set()
    assert not {"apache-airflow", "pyspark", "mlflow", "hyperopt"} & set(locked)


def test_the_service_lock_follows_the_main_one() -> None:
    """It is tested with the main lock's versions, so it must run with them."""
    main = _locked(_ROOT / "requirements.lock")
    service = _locked(_ROOT / "docker/serving/cpu-requirements.lock")

    assert {name: versions for name, versions in service.items() if not versions <= main.get(name, versions)} == {}


def test_locks_have_hashes_and_no_addresses() -> None:
    for lock in (_ROOT / "docker").glob("**/*.lock"):
        text = lock.read_text()
        pinned = re.findall(r"^[\w.-]+==.*$", text, re.MULTILINE)
        assert pinned
        assert all(line.endswith("\\") for line in pinned)  # a hash follows
        assert "://" not in text


def test_every_lock_is_made_by_make() -> None:
    makefile = (_ROOT / "Makefile").read_text()

    for lock in (_ROOT / "docker").glob("**/*.lock"):
        assert f"-o {lock.relative_to(_ROOT)}" in makefile
        assert f" {lock.with_suffix('.in').relative_to(_ROOT)}" in makefile


def test_image_tags_are_the_package_version(compose: dict[str, Any]) -> None:
    version = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]
    texts = [path.read_text() for path in (_ROOT / "docker/kubernetes").glob("**/*.yaml")]
    tags = [service["image"].partition(":")[2] for name, service in compose["services"].items() if "serving" in name]
    tags += re.findall(r"(?:image: llmops-serving:|newTag: )([^\s}]+)", "\n".join(texts))

    assert {tag.rpartition("-")[0] for tag in tags} == {version}


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
