"""MLflow with the logins that the matrix gives it: a real server, asked by an Admin, a Developer and nobody."""

import configparser
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from llmops.errors import AccessDeniedError, ConfigurationError
from llmops.governance.access import operators
from llmops.governance.access.identity import Identity
from llmops.governance.access.mlflow import account_permission, write_config
from llmops.governance.access.roles import Role
from llmops.publishing import registry
from scripts.loopback import free_port

Login = tuple[str, str]


def password_in(config: Path) -> str:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(config)
    return parser["mlflow"]["admin_password"]


def test_users_have_no_account_and_developers_only_read() -> None:
    assert {role.value: account_permission(role) for role in Role} == {
        "user": "DENY",
        "developer": "READ",
        "admin": "MANAGE",
    }


def test_the_password_is_ones_own_each_time_and_for_its_owners_eyes(tmp_path: Path) -> None:
    one, two = tmp_path / "one.ini", tmp_path / "two.ini"

    said = write_config(one) + write_config(two)

    assert password_in(one) != password_in(two)
    assert len(password_in(one)) >= 32
    assert password_in(one) not in said
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    with pytest.raises(ConfigurationError, match="in use"):
        write_config(one)


def test_the_registry_is_not_changed_for_a_developer(tmp_path: Path, empty_store: Path) -> None:
    somebody = Identity("x", Role.DEVELOPER, "key:0", "key:0")

    with operators.acting(somebody), pytest.raises(AccessDeniedError, match="manage releases"):
        registry.drop_alias("0" * 64, registry.CHAMPION, tracking_uri=f"sqlite:///{empty_store}")
    registry.drop_alias("0" * 64, registry.CHAMPION, tracking_uri=f"sqlite:///{empty_store}")


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    registry.create_database(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[tuple[str, Login]]:
    folder = tmp_path_factory.mktemp("server")
    config, port = folder / "basic_auth.ini", free_port()
    write_config(config)
    variables = {"MLFLOW_AUTH_CONFIG_PATH": str(config), "MLFLOW_FLASK_SERVER_SECRET_KEY": "a" * 43}
    command = [str(Path(sys.executable).with_name("mlflow")), "server", "--app-name", "basic-auth", "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", f"sqlite:///{empty_store}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **variables}, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(address, process, folder / "log")
        yield address, ("llmops-admin", password_in(config))
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def wait_until_it_answers(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/health", timeout=10).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise AssertionError(log.read_text())


def call(address: str, path: str, login: Login | None, **body: object) -> int:
    return httpx.post(f"{address}/api/2.0/mlflow/{path}", json=body, auth=login, timeout=60).status_code


@pytest.mark.slow
def test_an_account_reads_what_an_admin_has_made_and_changes_none_of_it(server: tuple[str, Login]) -> None:
    address, admin = server
    developer = ("dora", "a-long-enough-Password-7")
    name = "shop-assistant"

    made = [
        call(address, "users/create", admin, username=developer[0], password=developer[1]),
        call(address, "registered-models/create", admin, name=name),
        call(address, "model-versions/create", admin, name=name, source="s3://lake/releases/shop-1"),
        call(address, "registered-models/alias", admin, name=name, alias="champion", version="1"),
    ]
    changed = [
        call(address, "model-versions/create", developer, name=name, source="s3://lake/mine"),
        call(address, "registered-models/alias", developer, name=name, alias="champion", version="1"),
        httpx.request(
            "DELETE",
            f"{address}/api/2.0/mlflow/model-versions/delete",
            json={"name": name, "version": "1"},
            auth=developer,
            timeout=60,
        ).status_code,
        call(address, "users/create", developer, username="other", password="a-long-enough-Password-8"),
    ]
    read = [
        httpx.get(f"{address}/api/2.0/mlflow/registered-models/get?name={name}", auth=login, timeout=60).status_code
        for login in (admin, developer, None, ("llmops-admin", "password1234"))
    ]

    assert made == [200, 200, 200, 200]
    assert changed == [403, 403, 403, 403]
    assert read == [200, 200, 401, 401]
