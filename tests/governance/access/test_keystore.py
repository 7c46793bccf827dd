"""The file of keys under change, damage and several writers."""

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmops.errors import AccessUnavailableError, ConfigurationError, RevokedKeyError, UnknownKeyError
from llmops.governance.access import keys
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.roles import Role

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from llmops.governance.access import keys
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.roles import Role

store = KeyStore(Path(sys.argv[1]))
sys.stdin.readline()
for number in range(10):
    print(keys.create(store, role=Role.USER, subject=f"{sys.argv[2]} {number}", now=datetime.now(UTC)))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access/keys.json"


def make(path: Path) -> str:
    return keys.create(KeyStore(path), role=Role.USER, subject="shop", now=NOW)


def test_the_file_is_for_its_owner_alone_and_nothing_else_is_left(path: Path) -> None:
    make(path)
    make(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {name.name for name in path.parent.iterdir()} <= {"keys.json", "keys.json.lock"}


def test_a_running_reader_sees_new_and_revoked_keys_at_once(path: Path) -> None:
    reader = KeyStore(path)
    early = make(path)
    assert keys.verify(early, reader, NOW).subject == "shop"

    late = make(path)
    KeyStore(path).revoke(early.split("_")[1], NOW)

    assert keys.verify(late, reader, NOW).subject == "shop"
    with pytest.raises(RevokedKeyError):
        keys.verify(early, reader, NOW)


def test_without_a_file_nobody_is_known(path: Path) -> None:
    reader, key = KeyStore(path), make(path)
    assert keys.verify(key, reader, NOW).subject == "shop"

    path.unlink()

    with pytest.raises(UnknownKeyError):
        keys.verify(key, reader, NOW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"version"', '"versions"'),
        ('"user"', '"root"'),
        ('"expires"', '"ends"'),
        ("Z", ""),
        ("}", ""),
        ('"revoked": null', '"revoked": "never"'),
    ],
)
def test_a_damaged_file_lets_nobody_in_until_it_is_restored(path: Path, old: str, new: str) -> None:
    reader, key = KeyStore(path), make(path)
    keys.verify(key, reader, NOW)
    whole = path.read_text()
    damaged = whole.replace(old, new)
    assert damaged != whole

    path.write_text(damaged)

    with pytest.raises(AccessUnavailableError, match="damaged"):
        keys.verify(key, reader, NOW)
    with pytest.raises(AccessUnavailableError, match="damaged"):
        make(path)  # nor is what may still be in it written over
    path.write_text(whole)
    assert keys.verify(key, reader, NOW).subject == "shop"


def test_half_a_file_lets_nobody_in(path: Path) -> None:
    reader, key = KeyStore(path), make(path)
    content = path.read_bytes()

    for length in range(len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(AccessUnavailableError):
            keys.verify(key, reader, NOW)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_lets_nobody_in(path: Path, mode: int) -> None:
    key = make(path)

    path.chmod(mode)

    with pytest.raises(AccessUnavailableError, match="others may write"):
        keys.verify(key, KeyStore(path), NOW)


def test_a_folder_in_its_place_lets_nobody_in(path: Path) -> None:
    path.mkdir(parents=True)

    with pytest.raises(AccessUnavailableError):
        KeyStore(path).find("a" * 12)


def test_a_file_where_the_folder_should_be_is_named(path: Path) -> None:
    path.parent.write_text("")

    with pytest.raises(AccessUnavailableError, match=str(path)):
        make(path)


def test_four_writers_at_once_lose_nothing(path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(keys.__file__).parents[3])},
        )
        for name in ("one", "two", "three", "four")
    ]
    made = [key for output in _run_together(writers) for key in output.split()]

    reader = KeyStore(path)
    assert len(made) == 40
    assert len({keys.verify(key, reader, datetime.now(UTC)).subject for key in made}) == 40


def _run_together(writers: list[subprocess.Popen[str]]) -> list[str]:
    """Start them all, then let them all go on; what each printed."""
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    return [writer.communicate(timeout=60)[0] for writer in writers]


def test_an_unknown_key_cannot_be_revoked(path: Path) -> None:
    make(path)

    with pytest.raises(ConfigurationError, match="no such key"):
        KeyStore(path).revoke("0" * 12, NOW)
