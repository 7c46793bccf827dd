"""API keys: `llmops_<id>_<secret>`, of which the id and a hash of the secret are kept.

The secret is 32 random bytes, so a plain SHA-256 is enough: there is nothing to guess. NIST SP 800-63B, section
5.1.2.2, asks for a slow, salted hash only below 112 bits of entropy. A slow one would also cost every request its time.
"""

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from pydantic import ValidationError

from llmops.errors import (
    ConfigurationError,
    ExpiredCredentialError,
    RevokedKeyError,
    UnknownKeyError,
    WrongSecretError,
)
from llmops.governance.access.identity import Allowance, Identity
from llmops.governance.access.keystore import KeyRecord, KeyStore
from llmops.governance.access.roles import Role

PREFIX = "llmops_"
PATTERN = re.compile(rf"{PREFIX}([0-9a-f]{{12}})_([0-9a-f]{{64}})")
"""A whole key, also for scanners that look for leaked ones."""
DEFAULT_LIFETIME_DAYS = 90
MAX_LIFETIME_DAYS = 3_650
_NOBODYS_DIGEST = "0" * 64


def create(
    store: KeyStore,
    *,
    role: Role,
    subject: str,
    now: datetime,
    lifetime_days: int = DEFAULT_LIFETIME_DAYS,
    allowance: Allowance = Allowance(),  # noqa: B008 - frozen
) -> str:
    """Make a key for `subject`, keep its record and return the key, which cannot be read again.

    Raises ConfigurationError for a blank subject, or for a limit or lifetime out of bounds.
    """
    if not 1 <= lifetime_days <= MAX_LIFETIME_DAYS:
        raise ConfigurationError(f"a key of {lifetime_days} days: it must last 1 to {MAX_LIFETIME_DAYS} days")
    key_id, secret = secrets.token_hex(6), secrets.token_hex(32)
    try:
        record = KeyRecord(
            id=key_id,
            secret_sha256=_digest(secret),
            role=role,
            subject=subject,
            created=now,
            expires=now + timedelta(days=lifetime_days),
            requests_per_minute=allowance.requests_per_minute,
            tokens_per_day=allowance.tokens_per_day,
        )
    except ValidationError as error:
        wrong = "; ".join(f"{item['loc'][0]}: {item['msg']} (got {item['input']!r})" for item in error.errors())
        raise ConfigurationError(wrong) from error
    store.add(record)
    return f"{PREFIX}{key_id}_{secret}"


def verify(key: str, store: KeyStore, now: datetime) -> Identity:
    """The identity behind a key.

    Raises UnknownKeyError, WrongSecretError, RevokedKeyError or ExpiredCredentialError, which clients must not be able
    to tell apart, and AccessUnavailableError. Whether a key is revoked or expired is looked at after its secret, so
    that not even the log says it of a key that was only guessed at.
    """
    found = PATTERN.fullmatch(key)
    if found is None:
        raise UnknownKeyError("not of the form of our keys")
    key_id, secret = found.groups()
    record = store.find(key_id)
    # Compared for unknown ids too, in constant time: how long it takes says nothing about which keys there are.
    is_right = hmac.compare_digest(_digest(secret), _NOBODYS_DIGEST if record is None else record.secret_sha256)
    if record is None:
        raise UnknownKeyError(f"key {key_id}: not known")
    if not is_right:
        raise WrongSecretError(f"key {key_id}: wrong secret")
    if record.revoked is not None:
        raise RevokedKeyError(f"key {key_id}: revoked {record.revoked:%Y-%m-%d %H:%M} UTC")
    if record.expires <= now:
        raise ExpiredCredentialError(f"key {key_id}: expired {record.expires:%Y-%m-%d %H:%M} UTC")
    name = f"key:{key_id}"
    return Identity(record.subject, record.role, credential=name, account=name, allowance=record.allowance)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
