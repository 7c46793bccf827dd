"""Credentials of every kind for `llmops access verify`: good ones of each role, and all that must let nobody in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from llmops.governance.access import keys
from llmops.governance.access.identity import Allowance
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.roles import Action, Role, may

_LIFETIME = timedelta(hours=1)
"""Of the good keys, should the process be killed before it takes them away again."""
_ALLOWANCE = Allowance(requests_per_minute=1_000_000, tokens_per_day=1_000_000)
_SUBJECT = "access verify"
_TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjAifQ.eyJyb2xlcyI6WyJhZG1pbiJdfQ.AAAA"  # noqa: S105 - signed by nobody


@dataclass(frozen=True)
class Credential:
    """What somebody presents, and what it should make of them."""

    name: str
    """Role and kind, for reports."""
    value: str | None = field(repr=False)
    """An API key or token; None to present nothing."""
    role: Role | None
    """What it is good for; None if it must let nobody in."""

    def may(self, action: Action | None) -> bool:
        """Whether the matrix lets its holder do this; None for what is open to all."""
        return action is None or (self.role is not None and may(self.role, action))


@contextmanager
def in_store(store: KeyStore) -> Iterator[list[Credential]]:
    """Every kind of credential, the good ones with keys in `store`; the keys are gone from it at the end."""
    now = datetime.now(UTC)
    made: list[str] = []

    def make(role: Role, left: timedelta) -> str:
        # Lifetimes are whole days: the key was made so long ago that this much of its day is left.
        created = now + left - timedelta(days=1)
        key = keys.create(store, role=role, subject=_SUBJECT, now=created, lifetime_days=1, allowance=_ALLOWANCE)
        made.append(_id(key))
        return key

    try:
        found = list(_bad_ones())
        for role in Role:
            good, revoked = make(role, _LIFETIME), make(role, _LIFETIME)
            expired = make(role, timedelta(seconds=-1))
            store.revoke(_id(revoked), now)
            found += [
                Credential(f"{role}, good key", good, role),
                Credential(f"{role}, wrong secret", _with_other_secret(good), None),
                Credential(f"{role}, expired key", expired, None),
                Credential(f"{role}, revoked key", revoked, None),
            ]
        yield found
    finally:
        store.remove(made)


def from_keys(given: dict[Role, str]) -> list[Credential]:
    """Likewise with keys that were made elsewhere: good ones, and what can be made of them."""
    found = list(_bad_ones())
    for role, key in given.items():
        found += [
            Credential(f"{role}, good key", key, role),
            Credential(f"{role}, wrong secret", _with_other_secret(key), None),
        ]
    return found


def _bad_ones() -> Iterator[Credential]:
    yield Credential("nobody, no key", None, None)
    yield Credential("nobody, no key's form", "hello", None)
    yield Credential("nobody, unknown key", f"{keys.PREFIX}{'0' * 12}_{'a' * 64}", None)
    yield Credential("nobody, unsigned token", _TOKEN, None)


def _with_other_secret(key: str) -> str:
    return key[:-1] + ("1" if key[-1] == "0" else "0")


def _id(key: str) -> str:
    return key.split("_")[1]
