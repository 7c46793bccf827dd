"""Who may do what: three roles and one matrix, shared by the service, the command line and Airflow."""

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What someone is here, from the least to the most: each role may do all that the one before it may."""

    USER = "user"
    """Calls deployed models."""
    DEVELOPER = "developer"
    """Tests and views: other versions, runs, reports."""
    ADMIN = "admin"
    """Edits and deploys: keys, releases, people's data."""


class Action(StrEnum):
    """Everything that asks for a role."""

    GENERATE = "generate"
    """Ask the deployed model."""
    GIVE_FEEDBACK = "give_feedback"
    """Rate or correct an answer."""
    LIST_MODELS = "list_models"
    """See which models answer."""
    CHOOSE_MODEL = "choose_model"
    """Ask a named version or the untuned base instead of what is deployed."""
    READ_CUSTOMER_CONTEXT = "read_customer_context"
    """Have a customer's stored features put into the prompt."""
    READ_METRICS = "read_metrics"
    """Scrape counters and latencies."""
    READ_REPORTS = "read_reports"
    """Read governance and evaluation reports, decisions and lineage."""
    READ_QUARANTINE = "read_quarantine"
    """See rows that were set aside; they may hold what redaction missed."""
    RUN_PIPELINE = "run_pipeline"
    """Start or backfill runs; what they make is published by the gate alone."""
    EDIT_PIPELINE = "edit_pipeline"
    """Change what is scheduled and what runs are told: pause or delete DAGs, set pools, variables and connections."""
    RELEASE_QUARANTINE = "release_quarantine"
    """Let a row that was set aside back into the data."""
    MANAGE_RELEASES = "manage_releases"
    """Publish, promote, start or stop a canary, roll back; bring in the base models that releases stand on."""
    APPROVE_RELEASES = "approve_releases"
    """Say, as the person who answers for it, that a candidate may be published."""
    MANAGE_KEYS = "manage_keys"
    """Create, list and revoke API keys."""
    ERASE_SUBJECT = "erase_subject"
    """Carry a deletion request through every store."""


_EVERYONE = frozenset(Role)
_STAFF = frozenset({Role.DEVELOPER, Role.ADMIN})
_ADMINS = frozenset({Role.ADMIN})

MATRIX: Mapping[Action, frozenset[Role]] = {
    Action.GENERATE: _EVERYONE,
    Action.GIVE_FEEDBACK: _EVERYONE,
    Action.LIST_MODELS: _EVERYONE,
    # An application answers its own customers and knows their ids: it calls with a key of its own, as a User.
    Action.READ_CUSTOMER_CONTEXT: _EVERYONE,
    Action.CHOOSE_MODEL: _STAFF,
    Action.READ_METRICS: _STAFF,
    Action.READ_REPORTS: _STAFF,
    Action.READ_QUARANTINE: _STAFF,
    Action.RUN_PIPELINE: _STAFF,
    Action.EDIT_PIPELINE: _ADMINS,
    Action.RELEASE_QUARANTINE: _ADMINS,
    Action.MANAGE_RELEASES: _ADMINS,
    Action.APPROVE_RELEASES: _ADMINS,
    Action.MANAGE_KEYS: _ADMINS,
    Action.ERASE_SUBJECT: _ADMINS,
}


def may(role: Role, action: str) -> bool:
    """Whether `role` may do `action`; ValueError for an action that the matrix does not know."""
    return role in MATRIX[Action(action)]


def highest(names: list[str]) -> Role | None:
    """The role that may do most among `names`, letter case aside; None if none of them is one of ours."""
    known = {name.casefold() for name in names}
    return next((role for role in reversed(Role) if role.value in known), None)
