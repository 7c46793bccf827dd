"""The audit log: nothing privileged happens unrecorded, and no line of it can be changed unseen."""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from llmops import audit, signing
from llmops.errors import AuditError, NotYet, Refused
from llmops.settings import Settings

LLMOPS = str(Path(sys.executable).with_name("llmops"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path, log_format="json", actor="airflow/anna/manual__1")
    signing.create_keys(settings=made)
    return made


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """A log of seven entries."""
    for number in range(7):
        audit.record("publish", f"release {number}", "done", settings)
    return settings


def lines(settings: Settings) -> list[bytes]:
    return settings.audit_log.read_bytes().splitlines(keepends=True)


def test_an_entry_says_who_did_what_with_which_result(settings: Settings) -> None:
    with audit.recorded("rollback", "the lake", settings) as outcome:
        outcome.detail = "back to 3"

    begun, done = (json.loads(line) for line in lines(settings))
    assert (begun["result"], done["result"], done["detail"]) == ("begun", "done", "back to 3")
    assert (done["action"], done["object"], done["actor"]) == ("rollback", "the lake", "airflow/anna/manual__1")
    assert done["user"] == pwd.getpwuid(os.getuid()).pw_name
    assert done["previous"] == begun["hash"]
    assert audit.verify(settings).sequence == 2


def test_the_chain_is_plain_sha256_over_canonical_json(filled: Settings) -> None:
    previous = "0" * 64

    for line in lines(filled):
        entry = json.loads(line)
        claimed = entry.pop("hash")
        del entry["signature"]
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert sha256(b"llmops audit entry\n" + text.encode()).hexdigest() == claimed
        assert entry["previous"] == previous
        previous = claimed


@pytest.mark.parametrize(("error", "result"), [(Refused("no"), "refused"), (NotYet("wait"), "refused")])
def test_refusals_are_recorded(settings: Settings, error: Exception, result: str) -> None:
    with pytest.raises(type(error)), audit.recorded("publish", "x", settings):
        raise error

    assert [json.loads(line)["result"] for line in lines(settings)] == ["begun", result]


def test_of_a_failure_the_class_is_kept_and_not_the_message(settings: Settings) -> None:
    with pytest.raises(ValueError, match="anna"), audit.recorded("erase", "x", settings):
        raise ValueError("anna@example.com is not known")

    assert json.loads(lines(settings)[-1])["detail"] == "ValueError"
    assert b"anna@" not in settings.audit_log.read_bytes()


def test_every_flipped_byte_is_found_in_its_line(filled: Settings) -> None:
    content, starts = filled.audit_log.read_bytes(), []
    for number, line in enumerate(lines(filled), 1):
        starts += [number] * len(line)

    for place in range(0, len(content), 13):
        flipped = bytearray(content)
        flipped[place] ^= 1
        filled.audit_log.write_bytes(flipped)
        with pytest.raises(AuditError, match=rf"line {starts[place]} was altered"):
            audit.verify(filled)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda kept: kept[1:], "line 1 was altered: it does not follow"),
        (lambda kept: [*kept[:3], *kept[4:]], "line 4 was altered: it does not follow"),
        (lambda kept: [*kept[:2], kept[3], kept[2], *kept[4:]], "line 3 was altered: it does not follow"),
        (lambda kept: [*kept[:3], kept[2], *kept[3:]], "line 4 was altered: it does not follow"),
        (lambda kept: [*kept[:3], b"\n", *kept[3:]], "line 4 was altered: it is no entry"),
        (lambda kept: kept[:-1], "cut off after line 6; 1 more"),
        (lambda kept: kept[:2], "cut off after line 2; 5 more"),
        (lambda kept: kept[:0], "cut off after line 0; 7 more"),
        (lambda kept: [*kept, kept[-1]], "line 8 was altered"),
        (lambda kept: [*kept[:6], kept[6][:40]], "line 7 was altered: it is no entry"),
    ],
)
def test_lines_taken_out_put_in_or_moved_are_found(
    filled: Settings, change: Callable[[list[bytes]], list[bytes]], found: str
) -> None:
    filled.audit_log.write_bytes(b"".join(change(lines(filled))))

    with pytest.raises(AuditError, match=found):
        audit.verify(filled)


def test_a_forger_without_the_key_cannot_chain_anew(filled: Settings, tmp_path: Path) -> None:
    forger = filled.model_copy(update={"audit_key": tmp_path / "f/a.pem", "audit_trusted_key": tmp_path / "f/b.pem"})
    signing.create_keys(
        settings=filled.model_copy(update={"signing_key": forger.audit_key, "trusted_key": forger.audit_trusted_key})
    )
    names = [json.loads(line)["object"] for line in lines(filled)]
    filled.audit_log.unlink()
    filled.audit_log.with_name("head.json").unlink()
    for name in [*names[:4], "another release", *names[5:]]:
        audit.record("publish", name, "done", forger)

    with pytest.raises(AuditError, match=r"head\.json: was altered, or signed with another key"):
        audit.verify(filled)


def test_an_older_log_in_its_place_lacks_what_was_seen(filled: Settings) -> None:
    head = filled.audit_log.with_name("head.json")
    older = filled.audit_log.read_bytes(), head.read_bytes()
    seen = audit.record("erase", "a person", "done", filled).hash
    assert audit.verify(filled, seen).sequence == 8

    filled.audit_log.write_bytes(older[0])
    head.write_bytes(older[1])

    with pytest.raises(AuditError, match=seen):
        audit.verify(filled, seen)


@pytest.mark.parametrize("missing", ["audit.jsonl", "head.json"])
def test_a_missing_file_is_named_and_stops_further_actions(filled: Settings, missing: str) -> None:
    filled.audit_log.with_name(missing).unlink()

    with pytest.raises(AuditError, match="missing"):
        audit.verify(filled)
    with pytest.raises(AuditError, match="Nothing was done"), audit.recorded("publish", "x", filled):
        pytest.fail("it was done")


def test_nothing_is_done_that_cannot_be_recorded(settings: Settings) -> None:
    settings.audit_log.parent.mkdir()
    settings.audit_log.mkdir()  # nobody, the administrator included, can append to a folder

    with pytest.raises(AuditError, match="cannot be recorded"), audit.recorded("publish", "x", settings):
        pytest.fail("it was done")


def test_nothing_is_done_without_the_key(settings: Settings) -> None:
    settings.signing_key.unlink()

    with pytest.raises(AuditError, match="create-keys"), audit.recorded("publish", "x", settings):
        pytest.fail("it was done")


def test_a_writer_that_died_between_line_and_head_is_no_obstacle(filled: Settings) -> None:
    head = filled.audit_log.with_name("head.json")
    before = head.read_bytes()
    audit.record("publish", "release 7", "done", filled)
    head.write_bytes(before)

    assert audit.verify(filled).sequence == 8
    audit.record("publish", "release 8", "done", filled)

    assert audit.verify(filled).sequence == 9


def test_half_a_line_of_a_killed_writer_is_removed_by_the_next(filled: Settings) -> None:
    with filled.audit_log.open("ab") as stream:
        stream.write(lines(filled)[-1][:100])

    audit.record("publish", "release 7", "done", filled)

    assert audit.verify(filled).sequence == 8
    assert len(lines(filled)) == 8


def test_a_line_added_by_hand_stops_the_next_action(filled: Settings) -> None:
    with filled.audit_log.open("ab") as stream:
        stream.write(lines(filled)[2])

    with pytest.raises(AuditError, match="does not end where its head says"):
        audit.record("publish", "x", "done", filled)


WRITE_MANY = """
import sys
from llmops import audit
from llmops.settings import Settings
for number in range(25):
    audit.record("publish", f"{sys.argv[1]}/{number}", "done", Settings())
"""


def test_writers_in_several_processes_lose_and_tear_nothing(settings: Settings) -> None:
    environment = os.environ | {"LLMOPS_HOME": str(settings.home)}
    commands = ([sys.executable, "-c", WRITE_MANY, str(number)] for number in range(4))

    writers = [subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) for command in commands]

    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    assert audit.verify(settings).sequence == 100
    objects = {json.loads(line)["object"] for line in lines(settings)}
    assert objects == {f"{writer}/{number}" for writer in range(4) for number in range(25)}


def test_only_the_owner_may_read_it(filled: Settings) -> None:
    assert filled.audit_log.stat().st_mode & 0o777 == 0o600


def llmops(home: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"LLMOPS_HOME": str(home), "LLMOPS_ENVIRONMENT": "development", **variables}
    return subprocess.run([LLMOPS, *words], cwd=home, env=environment, capture_output=True, text=True, check=False)


def test_commands_are_recorded_shown_and_verified(settings: Settings) -> None:
    home = settings.home
    key = llmops(home, "access", "create-key", "--role", "user", "--subject", "shop", LLMOPS_ACTOR="anna")
    refused = llmops(home, "rollback")
    forced = llmops(home, "--force", "clean", "lake/redacted/ds=2026-02-03", "lake/clean/ds=2026-02-03")

    shown = llmops(home, "audit", "show")
    verified = llmops(home, "audit", "verify")

    assert (key.returncode, refused.returncode, forced.returncode) == (0, 99, 1)
    secret = key.stdout.strip().split("_")[2]
    rows = shown.stdout.splitlines()
    assert "for anna  create-key  user shop  done  key " in rows[1]
    assert "rollback" in rows[3]
    assert "refused" in rows[3]
    assert "force  clean lake/clean/ds=2026-02-03  failed  MissingArtifactError" in rows[5]
    assert secret not in shown.stdout
    assert verified.stdout.startswith("6 entries, none altered")
    assert len(llmops(home, "audit", "show", "--action", "rollback", "--json").stdout.splitlines()) == 2

    content = settings.audit_log.read_bytes()
    settings.audit_log.write_bytes(content.replace(b'"user shop"', b'"admin shop"', 1))
    altered = llmops(home, "audit", "verify")
    assert altered.returncode == 1
    assert "line 1 was altered" in altered.stderr
