"""The role matrix within a real Airflow with its FAB auth manager: every role asks its REST API."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from llmops.governance.access.airflow import ROLE_NAMES
from llmops.governance.access.logins import Login
from llmops.governance.access.roles import Role
from llmops.verification.airflow_checks import check_airflow
from scripts.local_airflow import PROJECT, LocalAirflow, environment
from scripts.loopback import free_port
from scripts.prepare import prepare_airflow
from scripts.processes import Processes
from tests.serving.conftest import poll

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
LOGINS = {role: Login(f"some-{role}", f"pass-of-{role}-71fc") for role in Role}
BEYOND_EACH_ROLE = {
    "user": {
        "list DAGs",
        "read a DAG",
        "list runs",
        "trigger a DAG",
        "trigger a DAG of Admins",
        "edit a DAG of Admins",
        "delete a DAG",
        "list variables",
        "delete a variable",
        "list connections",
        "delete a connection",
        "delete a pool",
    },
    "developer": {
        "trigger a DAG of Admins",
        "edit a DAG of Admins",
        "delete a DAG",
        "list variables",
        "delete a variable",
        "list connections",
        "delete a connection",
        "delete a pool",
    },
    "admin": set(),
}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> LocalAirflow:
    """Airflow with roles, prepared as the stack does it, and a user of each role."""
    found = LocalAirflow(tmp_path_factory.mktemp("airflow"), has_roles=True)
    prepare_airflow(found)
    users = found.folder / "users.json"
    users.write_text(json.dumps({role: login._asdict() for role, login in LOGINS.items()}))
    apply(found, "--users", str(users))
    return found


def apply(airflow: LocalAirflow, *flags: str) -> str:
    command = [str(Path(sys.executable).with_name("llmops")), "access", "airflow-roles", "--apply", *flags]
    variables = environment(airflow.settings())
    done = subprocess.run(command, env=variables, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def address(airflow: LocalAirflow) -> Iterator[str]:
    processes, port = Processes(airflow.folder / "run"), free_port()
    try:
        airflow.start(processes, port, components=("api-server",))
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.stop()


def test_applied_again_nothing_changes(airflow: LocalAirflow) -> None:
    assert apply(airflow) == "nothing to change\n"


def test_a_permission_too_many_or_too_few_is_put_right(airflow: LocalAirflow) -> None:
    variables = environment(airflow.settings())
    role = ROLE_NAMES[Role.DEVELOPER]
    for verb, action, resource in (("add-perms", "can_delete", "DAGs"), ("del-perms", "can_read", "Task Logs")):
        command = ["airflow", "roles", verb, role, "-a", action, "-r", resource]
        subprocess.run(command, env=variables, capture_output=True, check=True)

    changes = apply(airflow).splitlines()

    assert set(changes) == {f"{role}: - can_delete on DAGs", f"{role}: + can_read on Task Logs"}


def test_each_role_may_do_what_the_matrix_says(address: str) -> None:
    checks = check_airflow(address, LOGINS)

    refused = {role: {item.what for item in checks if item.who == role and item.got == "refused"} for role in Role}
    strangers = {item.got for item in checks if item.who.startswith("nobody")}
    assert [check for check in checks if check.has_failed] == []
    assert refused == BEYOND_EACH_ROLE
    assert strangers == {"refused"}


def test_a_role_with_too_much_is_found(airflow: LocalAirflow, address: str) -> None:
    variables = environment(airflow.settings())
    more = ["airflow", "roles", "add-perms", ROLE_NAMES[Role.USER], "-a", "can_delete", "-r", "DAGs"]
    subprocess.run(more, env=variables, capture_output=True, check=True)

    def failures() -> set[tuple[str, str]]:
        return {(item.what, item.who) for item in check_airflow(address, LOGINS) if item.has_failed}

    # The server remembers what a user may do for half a minute.
    poll(lambda: bool(failures()), timeout_seconds=120)
    failed = failures()
    apply(airflow)
    poll(lambda: not failures(), timeout_seconds=120)

    assert failed == {("delete a DAG", "user")}


def test_a_role_without_a_login_is_a_finding(address: str) -> None:
    known = {role: login for role, login in LOGINS.items() if role is not Role.DEVELOPER}

    failed = [(item.what, item.who) for item in check_airflow(address, known) if item.has_failed]

    assert failed == [("log in", "developer")]


def test_a_wrong_password_gets_no_token(address: str) -> None:
    wrong = {"username": LOGINS[Role.ADMIN].username, "password": "admin"}

    assert httpx.post(f"{address}/auth/token", json=wrong, timeout=60).status_code == 401
