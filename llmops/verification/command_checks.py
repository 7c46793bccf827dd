"""Tries every command of the command line with every credential."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

from cyclopts import App

from llmops.errors import AccessViolationError
from llmops.governance.access.credentials import Credential
from llmops.governance.access.findings import Check, without_expectation
from llmops.governance.access.privileges import COMMANDS
from llmops.governance.access.roles import Role
from llmops.settings import Settings
from llmops.verification.cli_attempts import DENIED, LET_IN, outcome

PROGRAM = "llmops.cli:main"


def commands_of(app: App, prefix: str = "") -> Iterator[str]:
    """Every command that the program has: `publish`, `canary start` and so on.

    Groups are looked into: apps, or import strings that end in `:app`, as a group's must. The modules behind single
    commands, which may be heavy, are not imported; cyclopts' public list of commands would do that.
    """
    for name, target in app._commands.items():
        if name.startswith("-"):
            continue
        module = getattr(target, "import_path", "")
        if module.endswith(":app") or (isinstance(target, App) and target.default_command is None):
            yield from commands_of(app[name], f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"


def check_commands(
    commands: Sequence[str],
    credentials: Sequence[Credential],
    settings: Settings,
    *,
    program: str = PROGRAM,
    expectations: Mapping[str, object] = COMMANDS,
) -> list[Check]:
    """What each command does for each credential, against the matrix; a command without an action fails.

    `nobody, no key` stands for an account of this machine that `LLMOPS_ACCESS_ACCOUNTS` gives no role.
    """
    attempts = [(command, credential) for command in commands for credential in credentials]
    statuses = _try([(command, credential.value) for command, credential in attempts], settings, program)
    checks = [without_expectation("command", command) for command in commands if command not in expectations]
    for (command, credential), status in zip(attempts, statuses, strict=True):
        action = COMMANDS.get(command)
        # What nobody thought about is for Admins until somebody has.
        is_allowed = credential.role is Role.ADMIN if action is None else credential.may(action)
        checks.append(
            Check("command", command, credential.name, expected=LET_IN if is_allowed else DENIED, got=outcome(status))
        )
    return checks


def _try(attempts: Sequence[tuple[str, str | None]], settings: Settings, program: str) -> list[int]:
    """The exit status of each attempt."""
    # An account without any role, outside development: what is tried is what the key alone gives.
    variables = {
        "LLMOPS_ENVIRONMENT": "production",
        "LLMOPS_ACCESS_ACCOUNTS": "{}",
        "LLMOPS_ACCESS_KEYS": str(settings.access_keys.resolve()),
        "LLMOPS_OPEN_ACCESS": "false",
        "LLMOPS_LOG_FORMAT": "json",
    }
    done = subprocess.run(
        [sys.executable, "-m", "llmops.verification.cli_attempts", program],
        input=json.dumps([{"command": command, "key": key} for command, key in attempts]),
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AccessViolationError(f"the commands could not be tried: {done.stderr[-2000:]}")
    statuses: list[int] = json.loads(done.stdout)
    return statuses
