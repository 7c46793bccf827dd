"""Who runs a command, and whether the role suffices: the door of the command line.

A key or token in `LLMOPS_ACCESS_KEY` says who it is, and nothing else does once it is set: one that is expired, revoked
or wrong never falls back to less. Without it the account on this machine counts, with the role that the setting
`LLMOPS_ACCESS_ACCOUNTS` gives it. The operating system has named that account, and decides about its files.

Not covered: somebody who writes the lake's files without these commands. What is served is signed for that reason.
"""

import asyncio
import os
import pwd
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

import structlog

from llmops.errors import AccessDeniedError, ConfigurationError
from llmops.governance.access.identity import Identity
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.privileges import COMMANDS, command_in
from llmops.governance.access.roles import MATRIX, Action, Role, may
from llmops.settings import Settings

_operator: ContextVar[Identity | None] = ContextVar("operator", default=None)
log = structlog.get_logger()


def identify(settings: Settings, now: datetime) -> Identity:
    """Who runs this process.

    Raises a CredentialError for a key or token that does not hold, AccessUnavailableError when that cannot be decided,
    and AccessDeniedError for an account that has no role.
    """
    if settings.access_key is not None:
        # The libraries for tokens take half a second to import, which a command without one does not pay.
        from llmops.governance.access.authentication import Authenticator  # noqa: PLC0415 - see above

        given = settings.access_key.get_secret_value()
        if not given:
            raise ConfigurationError("LLMOPS_ACCESS_KEY: empty; set a key, or unset it")
        return asyncio.run(Authenticator(settings).identify(given, now))
    name = _account()
    accounts = settings.access_accounts
    if accounts is None:
        role = Role.ADMIN if settings.environment == "development" else Role.DEVELOPER
    elif found := accounts.get(name, accounts.get("*")):
        role = Role(found)
    else:
        raise AccessDeniedError(
            f"the account {name} has no role here: set LLMOPS_ACCESS_KEY to a key, or have it named in "
            "LLMOPS_ACCESS_ACCOUNTS"
        )
    return Identity(name, role, credential=f"account:{name}", account=f"account:{name}")


def admit(tokens: Iterable[str], settings: Settings) -> Identity:
    """Who runs the command that these words begin with, if that one may; raises as `identify` does.

    While an installation has no key at all, the account on this machine may make the first: whoever can write that
    file is an Admin already.
    """
    command = command_in(tokens)
    operator, action = identify(settings, datetime.now(UTC)), COMMANDS.get(command)
    is_allowed = operator.role is Role.ADMIN if action is None else may(operator.role, action)
    if not is_allowed and not (action is Action.MANAGE_KEYS and _is_unclaimed(settings)):
        roles = {Role.ADMIN} if action is None else MATRIX[action]
        raise AccessDeniedError(
            f"`llmops {command}` is for the role {' or '.join(sorted(roles))}; {operator.credential} has the role "
            f"{operator.role.value}: set LLMOPS_ACCESS_KEY to another key"
        )
    if operator.role is Role.ADMIN and settings.access_key is None and settings.access_accounts is None:
        log.debug("operator.assumed", role=operator.role.value, environment=settings.environment)
    return operator


@contextmanager
def acting(operator: Identity) -> Iterator[None]:
    """Within this context `operator` is who acts: known to `current` and named in every log line by its credential."""
    before = _operator.set(operator)
    fields = {"user.id": operator.credential, "user.roles": [operator.role.value]}
    try:
        with structlog.contextvars.bound_contextvars(**fields):
            yield
    finally:
        _operator.reset(before)


def current() -> Identity | None:
    """Who acts; None outside the command line, where it is code that calls and not a person."""
    return _operator.get()


def require(action: Action) -> None:
    """Raise AccessDeniedError if somebody acts whose role does not allow this, whichever command it came by."""
    operator = current()
    if operator is not None and not may(operator.role, action):
        needed = action.value.replace("_", " ")
        raise AccessDeniedError(f"{operator.credential}: the role {operator.role.value} may not {needed}")


def _is_unclaimed(settings: Settings) -> bool:
    return settings.access_key is None and settings.access_accounts is None and not _has_keys(settings)


def _has_keys(settings: Settings) -> bool:
    return bool(KeyStore(settings.access_keys).records())


def _account() -> str:
    """Name of the account that this process runs as; containers may have none for it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"
