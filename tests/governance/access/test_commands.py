"""`llmops access` as an operator meets it, beside a store that a running service would hold."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmops import signing
from llmops.errors import RevokedKeyError
from llmops.governance.access import keys
from llmops.governance.access.identity import Allowance
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.roles import Role
from llmops.settings import Settings


@pytest.fixture(autouse=True)
def _keys(tmp_path: Path) -> None:
    """Those that sign the audit log: nothing is done that it does not record."""
    signing.create_keys(settings=Settings(home=tmp_path))


LLMOPS = str(Path(sys.executable).with_name("llmops"))


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LLMOPS_HOME": str(home), "LLMOPS_ENVIRONMENT": "development"}
    return subprocess.run([LLMOPS, "access", *arguments], capture_output=True, text=True, check=False, env=environment)


def test_a_key_is_made_listed_and_revoked_while_the_service_runs(tmp_path: Path) -> None:
    running = KeyStore(tmp_path / "access/keys.json")
    flags = ["--expires-days", "7", "--requests-per-minute", "12", "--tokens-per-day", "3400"]

    made = run(tmp_path, "create-key", "--role", "developer", "--subject", "Ada Lovelace", *flags)
    key = made.stdout.strip()
    identity = keys.verify(key, running, datetime.now(UTC))
    listed = run(tmp_path, "list-keys")
    revoked = run(tmp_path, "revoke-key", key.split("_")[1])
    listed_after = run(tmp_path, "list-keys")

    assert made.stdout == f"{key}\n"
    assert (identity.role, identity.allowance) == (Role.DEVELOPER, Allowance(12, 3400))
    end = datetime.now(UTC) + timedelta(days=7)
    row = [key.split("_")[1], "developer", "active", f"{end:%Y-%m-%d}", "12/minute", "3400", "Ada", "Lovelace"]
    assert [word for word in listed.stdout.splitlines()[0].split() if word in row] == row
    assert revoked.returncode == 0
    assert "revoked" in listed_after.stdout.splitlines()[0]
    with pytest.raises(RevokedKeyError):
        keys.verify(key, running, datetime.now(UTC))
    secret = key.rsplit("_", 1)[1]
    assert secret not in made.stderr + listed.stdout + listed.stderr + revoked.stdout + revoked.stderr
    assert "Ada" not in made.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["create-key", "--role", "root", "--subject", "x"], 2, "root"),
        (["create-key", "--role", "user"], 2, "--subject"),
        (["create-key", "--role", "user", "--subject", " "], 1, "subject"),
        (["create-key", "--role", "user", "--subject", "x", "--expires-days", "0"], 1, "0 days"),
        (["create-key", "--role", "user", "--subject", "x", "--expires-days", "99999999"], 1, "99999999"),
        (["create-key", "--role", "user", "--subject", "x", "--tokens-per-day", "0"], 1, "tokens_per_day"),
        (["revoke-key", "0123456789ab"], 1, "no such key"),
    ],
)
def test_a_mistake_is_named_and_makes_no_key(tmp_path: Path, arguments: list[str], status: int, said: str) -> None:
    done = run(tmp_path, *arguments)

    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "access/keys.json").exists()
