"""Keys with which the scripts call the service that they started."""

from datetime import UTC, datetime
from pathlib import Path

from llmops.governance.access import keys
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.roles import Role

UNLIMITED = {"LLMOPS_ACCESS_REQUESTS_PER_MINUTE": "10000000", "LLMOPS_ACCESS_TOKENS_PER_DAY": "10000000000"}
"""For measurements: as good as no limit."""


def make_key(home: Path) -> str:
    """A Developer's key for a day, where a service with this LLMOPS_HOME looks: it may ask the untuned model too."""
    store = KeyStore(home / "access/keys.json")
    return keys.create(store, role=Role.DEVELOPER, subject="scripts", now=datetime.now(UTC), lifetime_days=1)
