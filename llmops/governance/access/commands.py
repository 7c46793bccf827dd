"""`llmops access`: API keys of the service, made, listed and revoked on the machine that holds their file; the same
roles for Airflow and MLflow; and whether it all holds.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import structlog
from cyclopts import App, Parameter

from llmops import audit
from llmops.governance.access import airflow, default_passwords, keys, mlflow, operators
from llmops.governance.access.identity import Allowance
from llmops.governance.access.keystore import KeyRecord, KeyStore
from llmops.governance.access.logins import read_logins
from llmops.governance.access.roles import Action, Role
from llmops.settings import Settings

app = App(name="access", help=__doc__)
app.command(
    "llmops.verification.stage:verify_access",
    name="verify",
    help="Try every route and command with every role, and hold it against the role matrix.",
)
log = structlog.get_logger()


@app.command
def create_key(
    *,
    role: Role,
    subject: str,
    expires_days: int = keys.DEFAULT_LIFETIME_DAYS,
    requests_per_minute: int | None = None,
    tokens_per_day: int | None = None,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> str:
    """Print a new key on stdout: the only time that it is shown. A running service accepts it at once.

    Parameters
    ----------
    role
        What the key may do.
    subject
        The application or person that it is for.
    expires_days
        Days until it ends by itself.
    requests_per_minute
        Requests a minute; the service's default, if not given.
    tokens_per_day
        Tokens a day, of prompts and answers together; the service's default, if not given.
    """
    now = datetime.now(UTC)
    with audit.recorded("create-key", f"{role.value} {subject}", settings) as outcome:
        key = keys.create(
            KeyStore(settings.access_keys),
            role=role,
            subject=subject,
            now=now,
            lifetime_days=expires_days,
            allowance=Allowance(requests_per_minute, tokens_per_day),
        )
        outcome.detail = f"key {key.split('_')[1]}"
    log.info("key.created", key=key.split("_")[1], role=role.value, days=expires_days)
    return key


@app.command
def list_keys(*, settings: Annotated[Settings, Parameter(parse=False)]) -> str:
    """One line per key: id, role, state, days of creation and end, limits, subject. Secrets are not kept."""
    now = datetime.now(UTC)
    records = KeyStore(settings.access_keys).records()
    return "\n".join([*(_line(record, now) for record in records), f"{len(records)} keys in {settings.access_keys}"])


@app.command
def revoke_key(key_id: str, *, settings: Annotated[Settings, Parameter(parse=False)]) -> str:
    """Withdraw a key for good; a running service refuses it at once.

    Parameters
    ----------
    key_id
        The id, as `list-keys` shows it: the part of the key between its underscores.
    """
    with audit.recorded("revoke-key", key_id, settings):
        KeyStore(settings.access_keys).revoke(key_id, datetime.now(UTC))
    log.info("key.revoked", key=key_id)
    return f"revoked {key_id}"


@app.command
def airflow_roles(*, apply: bool = False, users: Path | None = None) -> str:
    """Print the role matrix in the form of `airflow roles export`, or set it in Airflow's database.

    Parameters
    ----------
    apply
        Make the roles in the database of this environment's Airflow exactly that; harmless when repeated. What changes
        there is told.
    users
        With `apply`: JSON file `{"admin": {"username": …, "password": …}, …}` with users to create in these roles.
    """
    if not apply:
        return json.dumps(airflow.exported_roles(), indent=2)
    # What concerns Airflow's users is not for whoever may read about roles.
    operators.require(Action.MANAGE_KEYS)
    # Airflow takes seconds to import and is not installed everywhere.
    from llmops.governance.access.airflow_roles import apply_roles, apply_users  # noqa: PLC0415 - see above

    changes = [*apply_roles(), *(apply_users(read_logins(users)) if users else ())]
    return "\n".join(changes) or "nothing to change"


@app.command
def mlflow_config(target: Path) -> str:
    """Write a configuration of MLflow's own logins (`mlflow server --app-name basic-auth`) and say how to use it.

    Parameters
    ----------
    target
        A new file, for its owner's eyes only: the administrator's password, freshly drawn, stands in it.
    """
    return mlflow.write_config(target)


@app.command
def check_passwords(*, settings: Annotated[Settings, Parameter(parse=False)]) -> str:
    """Look wherever a default password may be in use; exit status 1 outside development if there is one."""
    default_passwords.refuse_defaults(settings)
    checks = default_passwords.look(settings)
    return "\n".join(f"{check.what:<48}{check.got}" for check in checks)


def _line(record: KeyRecord, now: datetime) -> str:
    state = "revoked" if record.revoked else "expired" if record.expires <= now else "active"
    rate, budget = record.requests_per_minute or "default", record.tokens_per_day or "default"
    return (
        f"{record.id}  {record.role:<9}  {state:<7}  {record.created:%Y-%m-%d}  {record.expires:%Y-%m-%d}  "
        f"{rate}/minute  {budget} tokens/day  {record.subject}"
    )
