"""Who runs a command: keys, accounts, and what the door says to each, in processes as an operator starts them."""

import getpass
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmops.errors import AccessDeniedError
from llmops.governance.access import keys, operators
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.privileges import command_in
from llmops.governance.access.roles import Action, Role
from llmops.settings import Settings

LLMOPS = str(Path(sys.executable).with_name("llmops"))
NOW = datetime.now(UTC)
DENIED = 77


def run(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LLMOPS_HOME": str(home), "LLMOPS_LOG_FORMAT": "json", **variables}
    return subprocess.run([LLMOPS, *arguments], capture_output=True, text=True, check=False, env=environment)


def make_key(home: Path, role: Role, *, age_days: int = 0) -> str:
    made = NOW - timedelta(days=age_days)
    return keys.create(KeyStore(home / "access/keys.json"), role=role, subject="x", now=made, lifetime_days=1)


def test_a_command_without_its_role_is_refused_with_status_and_remedy(tmp_path: Path) -> None:
    done = run(tmp_path, "rollback", LLMOPS_ACCESS_KEY=make_key(tmp_path, Role.DEVELOPER))

    assert done.returncode == DENIED
    assert done.stdout == ""
    assert "`llmops rollback` is for the role admin" in done.stderr
    assert "LLMOPS_ACCESS_KEY" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("recipe", [[], ["--recipe", "/no/such.toml"], ["--force"]])
def test_who_is_refused_is_told_so_before_anything_else_is_looked_at(tmp_path: Path, recipe: list[str]) -> None:
    done = run(tmp_path, *recipe, "publish", "--no-such-flag", LLMOPS_ACCESS_KEY=make_key(tmp_path, Role.USER))

    assert done.returncode == DENIED


def test_an_admins_key_goes_through_and_its_holder_stands_in_every_line(tmp_path: Path) -> None:
    run(tmp_path, "create-keys")  # those that sign the record of it
    key = make_key(tmp_path, Role.ADMIN)

    done = run(tmp_path, "access", "create-key", "--role", "user", "--subject", "app", LLMOPS_ACCESS_KEY=key)

    assert done.returncode == 0, done.stderr
    lines = [json.loads(text) for text in done.stderr.splitlines()]
    assert "key.created" in [line["message"] for line in lines]
    assert {line["user"]["id"] for line in lines} == {f"key:{key.split('_')[1]}"}
    assert {tuple(line["user"]["roles"]) for line in lines} == {("admin",)}
    assert key.split("_")[2] not in done.stderr + done.stdout


@pytest.mark.parametrize("kind", ["expired", "wrong", "no key", "empty"])
def test_a_bad_key_never_falls_back_to_the_account(tmp_path: Path, kind: str) -> None:
    """Not even on the owner's own machine, where nothing at all would do."""
    good = make_key(tmp_path, Role.ADMIN)
    given = {
        "expired": make_key(tmp_path, Role.ADMIN, age_days=2),
        "wrong": good[:-1] + ("0" if good[-1] != "0" else "1"),
        "no key": "hello",
        "empty": "",
    }[kind]

    done = run(tmp_path, "access", "list-keys", LLMOPS_ACCESS_KEY=given, LLMOPS_ENVIRONMENT="development")

    assert done.returncode == (1 if kind == "empty" else DENIED)
    assert done.stdout == ""


def test_an_account_counts_as_the_setting_says(tmp_path: Path) -> None:
    make_key(tmp_path, Role.USER)  # the installation is somebody's
    name = getpass.getuser()

    def status(accounts: dict[str, str] | None, command: str = "list-keys") -> int:
        given = {} if accounts is None else {"LLMOPS_ACCESS_ACCOUNTS": json.dumps(accounts)}
        return run(tmp_path, "access", command, **given).returncode

    assert status(None) == DENIED
    assert status(None, "airflow-roles") == 0  # an account is a Developer
    assert status({name: "admin"}) == 0
    assert status({"*": "admin"}) == 0
    assert status({name: "user", "*": "admin"}) == DENIED
    assert status({}, "airflow-roles") == DENIED
    assert status({name: "root"}) == 1  # no role of ours


def test_development_makes_the_owner_an_admin(tmp_path: Path) -> None:
    make_key(tmp_path, Role.USER)

    assert run(tmp_path, "access", "list-keys", LLMOPS_ENVIRONMENT="development").returncode == 0


def test_the_first_key_can_be_made_and_then_no_other_without_it(tmp_path: Path) -> None:
    command = ("access", "create-key", "--role", "admin", "--subject", "first")
    assert run(tmp_path, "create-keys").returncode == 0

    first = run(tmp_path, *command)
    second = run(tmp_path, *command)
    third = run(tmp_path, *command, LLMOPS_ACCESS_KEY=first.stdout.strip())

    assert (first.returncode, second.returncode, third.returncode) == (0, DENIED, 0)


def test_an_unclaimed_installation_gives_away_nothing_but_keys(tmp_path: Path) -> None:
    assert run(tmp_path, "rollback").returncode == DENIED


@pytest.mark.parametrize("arguments", [["publish", "x", "y", "--", "--help"], ["rollback", "--", "-h"]])
def test_a_cry_for_help_opens_no_door(tmp_path: Path, arguments: list[str]) -> None:
    make_key(tmp_path, Role.USER)

    done = run(tmp_path, *arguments)

    assert done.returncode in {2, DENIED}
    assert "champion" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["publish", "--help"], ["access"], ["--version"], []])
def test_help_is_for_everybody(tmp_path: Path, arguments: list[str]) -> None:
    make_key(tmp_path, Role.USER)

    assert run(tmp_path, *arguments, LLMOPS_ACCESS_ACCOUNTS="{}").returncode == 0


@pytest.mark.parametrize(
    ("tokens", "command"),
    [
        (["canary", "start", "v1"], "canary start"),
        (["collect", "a", "b"], "collect"),
        (["canary"], "canary"),
        (["no", "such"], "no"),
    ],
)
def test_the_command_is_found_in_the_words(tokens: list[str], command: str) -> None:
    assert command_in(tokens) == command


def test_what_is_done_for_somebody_needs_their_role_too(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, access_accounts={"*": "developer"})
    operator = operators.identify(settings, NOW)

    with operators.acting(operator), pytest.raises(AccessDeniedError, match="manage releases"):
        operators.require(Action.MANAGE_RELEASES)
    with operators.acting(operator):
        operators.require(Action.RUN_PIPELINE)
    operators.require(Action.MANAGE_RELEASES)  # nobody acts: code calls code
