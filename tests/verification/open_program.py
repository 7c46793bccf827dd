"""Programs whose door stands open, for tests that must see it found."""

import os
import sys

from llmops import cli
from llmops.errors import DENIED_STATUS


def open_to_all() -> None:
    """Lets everybody in, and fails at the recipe as the real one does."""
    sys.exit(1)


def forgets_rollback() -> None:
    """The real program, but `rollback` asks nobody."""
    if "rollback" in sys.argv:
        sys.exit(1)
    cli.main()


def lets_a_wrong_key_fall_back() -> None:
    """The real program, but a key that is refused counts as none, and none as an Admin's machine."""
    try:
        cli.main()
    except SystemExit as ended:
        if ended.code != DENIED_STATUS:
            raise
    del os.environ["LLMOPS_ACCESS_ACCOUNTS"]
    os.environ.pop("LLMOPS_ACCESS_KEY", None)
    os.environ["LLMOPS_ENVIRONMENT"] = "development"
    cli.main()


def crashes() -> None:
    """Says nothing about access."""
    raise RuntimeError


def has_one_more() -> None:
    """The real program with a command that nobody thought about."""
    cli.app.command(_nothing, name="drop-everything")
    cli.main()


def _nothing() -> None:
    """Does nothing."""
