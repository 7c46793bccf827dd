"""The access key that a benchmark calls the service with."""

from datetime import UTC, datetime

from llmops.governance.access import keys
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.roles import Role
from llmops.settings import Settings


def make_key(settings: Settings) -> str:
    """A Developer's key for a day, in the home of the benchmark's own lake."""
    store = KeyStore(settings.access_keys)
    return keys.create(store, role=Role.DEVELOPER, subject="benchmark", now=datetime.now(UTC), lifetime_days=1)
