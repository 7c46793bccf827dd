"""`llmops access`: API keys of the service, made, listed and revoked on the machine that holds their file."""

from datetime import UTC, datetime
from typing import Annotated

import structlog
from cyclopts import App, Parameter

from llmops import audit
from llmops.governance.access import keys
from llmops.governance.access.identity import Allowance
from llmops.governance.access.keystore import KeyRecord, KeyStore
from llmops.governance.access.roles import Role
from llmops.settings import Settings

app = App(name="access", help=__doc__)
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


def _line(record: KeyRecord, now: datetime) -> str:
    state = "revoked" if record.revoked else "expired" if record.expires <= now else "active"
    rate, budget = record.requests_per_minute or "default", record.tokens_per_day or "default"
    return (
        f"{record.id}  {record.role:<9}  {state:<7}  {record.created:%Y-%m-%d}  {record.expires:%Y-%m-%d}  "
        f"{rate}/minute  {budget} tokens/day  {record.subject}"
    )
