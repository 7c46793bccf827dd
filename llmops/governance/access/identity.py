"""Who asks, once a key or token has been verified."""

from dataclasses import dataclass, field

from llmops.governance.access.roles import Role


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much an account may ask for; None means the service's default."""

    requests_per_minute: int | None = None
    tokens_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Someone who proved who they are."""

    subject: str
    """Person or application, as its key or its provider names it. May be a person's name: not for logs."""
    role: Role
    credential: str
    """Which key or token, for logs: `key:<id>` or `token:<first digits of its SHA-256>`."""
    account: str
    """Whose requests and tokens are counted together: one key's, or all tokens' of one subject, since a provider
    gives out a new token every hour."""
    allowance: Allowance = field(default=Allowance())
