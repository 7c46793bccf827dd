"""A file of logins by role, for programs that have users of their own."""

import json
from pathlib import Path
from typing import NamedTuple

from llmops.errors import ConfigurationError
from llmops.governance.access.roles import Role


class Login(NamedTuple):
    """Who logs in, and with what."""

    username: str
    password: str

    def __repr__(self) -> str:
        """Without the password."""
        return f"Login({self.username!r})"


def read_logins(path: Path) -> dict[Role, Login]:
    """`{"user": {"username": …, "password": …}, …}`; ConfigurationError for anything else."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        return {Role(name): Login(str(item["username"]), str(item["password"])) for name, item in given.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f'{path}: not a JSON file of logins by role, such as {{"admin": {{"username": "ada", "password": "…"}}}}'
        ) from error
