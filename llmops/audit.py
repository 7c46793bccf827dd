"""The audit log: who used a privilege, when, on what and with which result; append-only, chained and signed.

One JSON line an entry, in `settings.audit_log` on a disk of this machine or one that is mounted on all that write it.
Each line holds the hash of the one before and an Ed25519 signature, so that no line can be changed, taken out or put
in unseen. The file `head.json` beside it, signed as well, says which line is the last: a log that was cut off at its
end is noticed too. Writers take turns by a file lock.

A privileged action is recorded before it begins and again when it has ended. Where nothing can be recorded, nothing is
done: whoever can fill the disk must not be able to act unseen.

Not covered: an object store, which has neither appending nor locks (send the log there line by line, every entry is
also a log event `audit.recorded` with its hash); and whoever puts back an older log together with its older head, or
removes both. Against that `verify` takes a hash that was seen elsewhere.
"""

import json
import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import fsspec
import structlog
from filelock import FileLock, Timeout
from pydantic import AwareDatetime

from llmops import digests, signing, storage
from llmops.errors import AuditError, NotYet, Refused, SignatureError
from llmops.records import Record
from llmops.settings import Settings

_BEFORE_THE_FIRST = "0" * 64
_ENTRY_KIND, _HEAD_KIND = b"llmops audit entry\n", b"llmops audit head\n"
_LOCK_SECONDS = 30.0
log = structlog.get_logger()


class Entry(Record):
    """One line of the log."""

    sequence: int
    """Counts from 1."""
    at: AwareDatetime
    user: str
    """Account of this machine that the process ran under, as its user database names it."""
    actor: str | None
    """On whose behalf, as `LLMOPS_ACTOR` said: a person or a run of Airflow, a service's account."""
    host: str
    action: str
    object: str
    result: Literal["begun", "done", "refused", "failed"]
    detail: str
    previous: str
    """Hash of the line before; zeros in the first."""
    hash: str = ""
    signature: str = ""

    def computed_hash(self) -> str:
        """What `hash` has to be."""
        fields = self.model_dump(mode="json", exclude={"hash", "signature"})
        return digests.of_bytes(_ENTRY_KIND + digests.canonical_json(fields))

    def line(self) -> bytes:
        """The entry as it stands in the file: any other spelling of it counts as altered."""
        return digests.canonical_json(self.model_dump(mode="json")) + b"\n"


class Head(Record):
    """The content of head.json: which line is the last."""

    sequence: int
    hash: str
    signature: str = ""

    def signed_part(self) -> bytes:
        """What the signature covers."""
        return _HEAD_KIND + digests.canonical_json({"sequence": self.sequence, "hash": self.hash})


class Outcome:
    """What an action says about its own end."""

    detail = ""


@contextmanager
def recorded(action: str, object: str, settings: Settings) -> Iterator[Outcome]:  # noqa: A002 - the entry's own word
    """Record that an action begins and, when this context ends, how it ended; `detail` of the value may say more.

    Of a failure only the error's class is kept: its message may name a person. Raises AuditError, before anything is
    done, when it cannot be recorded.
    """
    record(action, object, "begun", settings)
    outcome = Outcome()
    try:
        yield outcome
    except Refused as refusal:
        record(action, object, "refused", settings, str(refusal))
        raise
    except BaseException as error:
        waits = isinstance(error, NotYet)
        record(action, object, "refused" if waits else "failed", settings, type(error).__name__)
        raise
    record(action, object, "done", settings, outcome.detail)


def record(
    action: str,
    object: str,  # noqa: A002 - as above
    result: Literal["begun", "done", "refused", "failed"],
    settings: Settings,
    detail: str = "",
) -> Entry:
    """Append one entry, on the disk when this returns. Raises AuditError when that cannot be done."""
    path = settings.audit_log
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(f"{path}.lock", timeout=_LOCK_SECONDS, mode=0o600):
            last = _last_entry(settings)
            entry = Entry(
                sequence=last.sequence + 1,
                at=datetime.now(UTC),
                user=_user(),
                actor=settings.actor,
                host=socket.gethostname(),
                action=action,
                object=object,
                result=result,
                detail=detail,
                previous=last.hash,
            )
            entry = entry.model_copy(update={"hash": entry.computed_hash()})
            signature = signing.sign(_ENTRY_KIND + entry.hash.encode(), settings.audit_key)
            signing.verify(_ENTRY_KIND + entry.hash.encode(), signature, settings.audit_trusted_key, "audit entry")
            entry = entry.model_copy(update={"signature": signature})
            _append(path, entry.line())
            _write_head(Head(sequence=entry.sequence, hash=entry.hash), settings)
    except Timeout as error:
        raise AuditError(f"{path}.lock: held for {_LOCK_SECONDS:.0f} s; not done, as it cannot be recorded") from error
    except OSError as error:
        raise AuditError(f"{path}: cannot be written ({error.strerror}); not done, as it cannot be recorded") from error
    except SignatureError as error:
        raise AuditError(f"{path}: not done, as it cannot be recorded: {error}") from error
    # Without the object, which may name a person: this line goes where logs go.
    log.info("audit.recorded", sequence=entry.sequence, hash=entry.hash, action=action, result=result)
    return entry


def entries(path: Path) -> Iterator[tuple[int, Entry | None, bytes]]:
    """Number (from 1), entry (None where it is none) and bytes of each line; nothing is verified."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            yield number, _parse(line), line


def verify(settings: Settings, seen: str | None = None) -> Head:
    """Check every line and the end of the log; its head.

    Raises AuditError that names the first altered line, or says what is missing at the end. `seen` is the hash of an
    entry that was noted elsewhere: it must be in the log.
    """
    path, key = settings.audit_log, settings.audit_trusted_key
    head = _read_head(settings)
    if head is None or not path.exists():
        what = "no audit log" if head is None and not path.exists() else "the log or its head is missing"
        raise AuditError(f"{path}: {what}")
    previous, hashes = Head(sequence=0, hash=_BEFORE_THE_FIRST), set[str]()
    for number, entry, line in entries(path):
        fault = _fault(entry, line, previous, key)
        if entry is None or fault is not None:
            raise AuditError(f"{path}: line {number} was altered: {fault}")
        previous = Head(sequence=entry.sequence, hash=entry.hash)
        hashes.add(entry.hash)
    if previous.sequence < head.sequence:
        raise AuditError(
            f"{path}: cut off after line {previous.sequence}; {head.sequence - previous.sequence} more were recorded"
        )
    # A writer that dies between the line and the head leaves one signed line more; the next one goes on from there.
    if head.hash not in hashes or previous.sequence > head.sequence + 1:
        raise AuditError(f"{path}: does not end where its signed head says (line {head.sequence}); restore both")
    if seen is not None and seen not in hashes:
        raise AuditError(f"{path}: holds no entry of hash {seen}; an older log was put in its place")
    return previous


def _fault(entry: Entry | None, line: bytes, previous: Head, key: Path) -> str | None:
    """What is wrong with a line, in words."""
    if entry is None:
        return "it is no entry"
    if entry.line() != line or entry.hash != entry.computed_hash():
        return "its content does not have its hash"
    if entry.previous != previous.hash or entry.sequence != previous.sequence + 1:
        return f"it does not follow line {previous.sequence}; what stood between them was taken out, or it was put in"
    try:
        signing.verify(_ENTRY_KIND + entry.hash.encode(), entry.signature, key, "entry")
    except SignatureError:
        return f"its signature does not verify against {key}"
    return None


def _last_entry(settings: Settings) -> Head:
    """Where the log ends, so that the next entry follows it; what a killed writer left is put right."""
    head, path = _read_head(settings), settings.audit_log
    known = head or Head(sequence=0, hash=_BEFORE_THE_FIRST)
    tail = _last_line(path)
    if tail is None:
        if head is None:
            return known
        raise AuditError(f"{path}: is gone, but {head.sequence} entries were recorded; restore it. Nothing was done")
    last = _parse(tail)
    if last is not None and last.hash == known.hash:
        return known
    is_next = last is not None and _fault(last, tail, known, settings.audit_trusted_key) is None
    if last is None or not is_next:
        raise AuditError(f"{path}: does not end where its head says; `llmops audit verify` says more. Nothing was done")
    return Head(sequence=last.sequence, hash=last.hash)


def _last_line(path: Path) -> bytes | None:
    """The last whole line; the half one of a writer that was killed is cut off. None where there is none."""
    if not path.exists():
        return None
    with path.open("r+b") as stream:
        size = stream.seek(0, os.SEEK_END)
        tail, block = b"", 1 << 16
        while len(tail) < size and tail.rstrip(b"\n").count(b"\n") < 2:
            start = max(0, size - len(tail) - block)
            stream.seek(start)
            tail = stream.read(size - start)
            block *= 2
        whole = tail[: tail.rfind(b"\n") + 1]
        if len(whole) < len(tail):
            log.warning("audit.half_line_removed", bytes=len(tail) - len(whole))
            stream.truncate(size - len(tail) + len(whole))
    return whole[whole.rstrip(b"\n").rfind(b"\n") + 1 :] or None


def _append(path: Path, line: bytes) -> None:
    """Write one line to the disk itself, or nothing of it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        try:
            left = memoryview(line)
            while left:  # what does not fit on the disk is written in part first, and raises with the next try
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def _head_path(settings: Settings) -> Path:
    return settings.audit_log.with_name("head.json")


def _read_head(settings: Settings) -> Head | None:
    path = _head_path(settings)
    try:
        head = Head.model_validate_json(path.read_bytes())
        signing.verify(head.signed_part(), head.signature, settings.audit_trusted_key, str(path))
    except FileNotFoundError:
        return None
    except (ValueError, SignatureError) as error:
        raise AuditError(f"{path}: was altered, or signed with another key; restore it") from error
    return head


def _write_head(head: Head, settings: Settings) -> None:
    signed = head.model_copy(update={"signature": signing.sign(head.signed_part(), settings.audit_key)})
    files, path = fsspec.url_to_fs(str(_head_path(settings)))
    storage.put(files, path, signed.model_dump_json().encode())


def _parse(line: bytes) -> Entry | None:
    try:
        content: dict[str, Any] = json.loads(line)
        return Entry.model_validate(content)
    except (ValueError, TypeError):
        return None


def _user() -> str:
    """Not from the environment, which anybody sets."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid:{os.getuid()}"
