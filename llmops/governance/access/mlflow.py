"""The role matrix for MLflow: what our code may do there for whom, and a configuration of MLflow's own logins.

MLflow mirrors releases for people to look at; nothing is served from it. Its server knows users and, per model and
experiment, the permissions READ, USE, EDIT, MANAGE (https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/).
An account there is a Developer's: it reads everything and changes nothing that another account has made. The
administrator is an Admin. A User has no account. What MLflow does not prevent, unless its workspaces are enabled: an
account may create models and experiments of its own, under other names.

Without those logins (`mlflow ui`) everybody who reaches the port is its administrator: then it must listen on loopback
alone, behind a proxy that asks who it is and lets in whoever may `READ_REPORTS`.
"""

import configparser
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from llmops.errors import ConfigurationError
from llmops.governance.access.roles import Action, Role, may

MLFLOW: Mapping[str, Action] = {
    "read": Action.READ_REPORTS,
    "register a version": Action.MANAGE_RELEASES,
    "set an alias": Action.MANAGE_RELEASES,
    "delete an alias": Action.MANAGE_RELEASES,
    "delete a version": Action.MANAGE_RELEASES,
}
"""What is done in the registry, as actions of the matrix; `llmops.publishing.registry` asks before it does."""
ADMINISTRATOR = "llmops-admin"
_CHANGES = [name for name in MLFLOW if name != "read"]


def account_permission(role: Role) -> str:
    """What an account of this role has on everything that another one has made."""
    if any(may(role, MLFLOW[name]) for name in _CHANGES):
        return "MANAGE"
    return "READ" if may(role, MLFLOW["read"]) else "DENY"


def write_config(target: Path) -> str:
    """Write `target`, a new file for its owner only, and say how MLflow is started with it.

    Raises ConfigurationError when there is a file already: its password is in use.
    """
    config = configparser.ConfigParser(interpolation=None)
    config["mlflow"] = {
        "default_permission": account_permission(Role.DEVELOPER),
        "database_uri": f"sqlite:///{target.resolve().with_suffix('.db')}",
        "admin_username": ADMINISTRATOR,
        "admin_password": secrets.token_urlsafe(24),
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        "grant_default_workspace_access": "false",
    }
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigurationError(f"{target}: there already; its password is in use, so move it away first") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        config.write(stream)
    return (
        f"MLFLOW_AUTH_CONFIG_PATH={target} MLFLOW_FLASK_SERVER_SECRET_KEY=RANDOM mlflow server --app-name basic-auth\n"
        f"administrator: {ADMINISTRATOR}; the password stands in the file. Accounts that it creates are Developers'."
    )
