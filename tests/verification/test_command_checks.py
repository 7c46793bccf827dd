"""Every command with every credential, in real processes: the program as it is, and ones with an open door."""

from pathlib import Path

import pytest

from llmops.cli import app
from llmops.governance.access.credentials import in_store
from llmops.governance.access.findings import Check
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.privileges import COMMANDS
from llmops.settings import Settings
from llmops.verification.command_checks import check_commands, commands_of

PROJECT = Path(__file__).resolve().parents[2]
ADMINS = {
    "access create-key",
    "access list-keys",
    "access revoke-key",
    "access verify",
    "canary judge",
    "canary start",
    "canary stop",
    "canary watch",
    "create-keys",
    "import-model",
    "publish",
    "rollback",
}


def tried(home: Path, commands: list[str], program: str = "llmops.cli:main") -> list[Check]:
    settings = Settings(home=home)
    with in_store(KeyStore(settings.access_keys)) as credentials:
        return check_commands(commands, credentials, settings, program=program)


def failed(checks: list[Check]) -> set[tuple[str, str, str]]:
    return {(check.what, check.who, check.got) for check in checks if check.has_failed}


def test_every_command_is_found_also_within_groups() -> None:
    found = set(commands_of(app))

    assert found >= ADMINS | {"collect", "quarantine list", "canary show", "generate-batch"}
    assert not any(name in found for name in ("access", "canary", "quarantine", "--help"))


def test_every_command_has_an_action() -> None:
    assert set(commands_of(app)) - set(COMMANDS) == set()


def test_the_program_does_what_the_matrix_says(tmp_path: Path) -> None:
    commands = list(commands_of(app))

    checks = tried(tmp_path, commands)

    let_in = {who: {item.what for item in checks if item.who == who and item.got == "let in"} for who in WHO}
    assert failed(checks) == set()
    assert len(checks) == len(commands) * 16
    assert let_in["user, good key"] == set()
    assert set(commands) - let_in["developer, good key"] >= ADMINS
    assert let_in["developer, good key"] >= {"collect", "evaluate", "show-champion", "quarantine list"}
    assert let_in["admin, good key"] == set(commands)
    assert {item.who for item in checks if item.got == "let in"} == {"developer, good key", "admin, good key"}


WHO = ("user, good key", "developer, good key", "admin, good key")


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("open_to_all", {("collect", "nobody, no key", "let in"), ("rollback", "developer, good key", "let in")}),
        ("forgets_rollback", {("rollback", "user, good key", "let in"), ("rollback", "admin, revoked key", "let in")}),
        ("lets_a_wrong_key_fall_back", {("rollback", "admin, expired key", "let in")}),
        ("crashes", {("rollback", "admin, good key", "exit status 99")}),
    ],
)
def test_an_open_door_is_found(
    program: str, expected: set[tuple[str, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{PROJECT}")

    found = failed(tried(tmp_path, ["collect", "rollback"], f"open_program:{program}"))

    assert expected <= found
    assert program != "forgets_rollback" or {what for what, *_ in found} == {"rollback"}


def test_a_command_that_nobody_thought_about_is_a_finding_and_an_admins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{PROJECT}")

    checks = tried(tmp_path, ["drop-everything"], "open_program:has_one_more")

    assert failed(checks) == {("drop-everything", "anyone", "no expectation")}
    assert {item.who for item in checks if item.got == "let in"} == {"admin, good key"}
