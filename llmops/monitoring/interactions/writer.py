"""Keeps what consenting users asked, got and said, without ever holding an answer up.

`record_exchange` and `record_feedback` put a record into memory and return; threads have it redacted and write it.
When disk or redaction are slow the queue fills, and when it is full, or the disk is, records are dropped and counted:
answers go on.

Not covered: names, addresses and other personal data without a pattern (see `llmops.guards.personal_data`).
"""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import structlog

from llmops.errors import ConfigurationError
from llmops.monitoring.interactions.files import SpoolFiles
from llmops.monitoring.interactions.records import Exchange, Feedback, Line, texts_of
from llmops.monitoring.interactions.redaction import RedactionProcess, Redactor

_RECORD_CHARACTERS = 1_000
"""What a record without text counts for, so that the queue is bounded for those as well."""
COUNTS = (
    "written",
    "withheld_no_consent",
    "withheld_redaction_failed",
    "dropped_queue_full",
    "dropped_disk",
    "dropped_closed",
    "sync_failed",
)
log = structlog.get_logger()


class InteractionWriter:
    """Writes one process's exchanges and feedback to files of its own in a spool that many processes share.

    Safe for use by several threads. What was written survives `kill -9` of this process; what was still queued (see
    `flush`) does not. At most `max_queued_characters` of text wait in memory, unredacted. To be made in the process
    that uses it: a fork has no thread. One thread per redactor (one `RedactionProcess` if none is given).

    Raises ConfigurationError for a folder that cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        *,
        redactors: Sequence[Redactor] = (),
        max_queued_characters: int = 8_000_000,
        sync_seconds: float = 1.0,
    ) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"{folder}: cannot hold interactions ({error.strerror}); name another folder"
            ) from error
        self._max_queued_characters = max_queued_characters
        self._files, self._disk = SpoolFiles(folder, sync_seconds), threading.Lock()
        self._changed = threading.Condition()
        self._queue: deque[Exchange | Feedback] = deque()
        self._queued_characters = 0
        self._accepted = self._finished = 0
        self._counts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._is_closed = False
        self._threads = [
            threading.Thread(target=self._run, args=(redactor,), name="interactions", daemon=True)
            for redactor in redactors or [RedactionProcess()]
        ]
        for thread in self._threads:
            thread.start()

    def record_exchange(self, exchange: Exchange) -> None:
        """Keep an answer, without its text if there is no consent. Returns at once and never raises."""
        self._offer(exchange)

    def record_feedback(self, feedback: Feedback) -> None:
        """Keep a rating or correction. Whether the answer was the subject's own is checked before (`answer_ids`)."""
        self._offer(feedback)

    def counts(self) -> dict[str, int]:
        """What became of the records so far, by the names in `COUNTS`, and how many are `queued`."""
        with self._changed:
            return {name: self._counts[name] for name in COUNTS} | {"queued": self._accepted - self._finished}

    def flush(self, timeout_seconds: float = 10.0) -> bool:
        """Wait until everything recorded before is written or dropped; False if it is not by then."""
        with self._changed:
            goal = self._accepted
            return self._changed.wait_for(lambda: self._finished >= goal, timeout_seconds)

    def close(self, timeout_seconds: float = 10.0) -> bool:
        """Write what is queued, fsync and end; drop and count what is left by then, and say False."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        deadline = monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        if not any(thread.is_alive() for thread in self._threads):
            self._files.close()
            return True
        with self._changed:
            self._counts["dropped_closed"] += len(self._queue)
            self._finished += len(self._queue)
            self._queue.clear()
        return False

    def _offer(self, record: Exchange | Feedback) -> None:
        if not record.consent:  # not even memory holds what must not be kept
            record = _without_text(record)
        size = _size(record)
        with self._changed:
            if self._is_closed:
                self._counts["dropped_closed"] += 1
            elif self._queued_characters + size > self._max_queued_characters:
                self._counts["dropped_queue_full"] += 1
            else:
                self._queue.append(record)
                self._queued_characters += size
                self._accepted += 1
                self._changed.notify_all()

    def _run(self, redactor: Redactor) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._is_closed, self._files.seconds_until_sync())
                record = self._queue.popleft() if self._queue else None
                is_over = record is None and self._is_closed
            if record is not None:
                self._keep(record, redactor)
                with self._changed:  # until now the record took up memory
                    self._queued_characters -= _size(record)
                    self._finished += 1
                    self._changed.notify_all()
            self._sync(at_once=is_over)
            if is_over:
                redactor.close()
                return

    def _keep(self, record: Exchange | Feedback, redactor: Redactor) -> None:
        line = self._line(record, redactor)
        data = line.model_dump_json(exclude_none=True).encode() + b"\n"
        try:
            with self._disk:
                self._files.append(record.event_time.date(), data)
        except OSError as error:
            self._count("dropped_disk", error)
            return
        self._count("written")
        if line.withheld:
            self._count(f"withheld_{line.withheld}")

    def _line(self, record: Exchange | Feedback, redactor: Redactor) -> Line:
        """The record as it may be kept: redacted, or without its text."""
        if not record.consent:
            return Line(withheld="no_consent", record=record)
        texts = texts_of(record)
        try:
            redacted = dict(zip(texts, redactor.redact(list(texts.values())) if texts else [], strict=True))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, text that was not redacted is not kept
            self._log("redaction", error)
            return Line(withheld="redaction_failed", record=_without_text(record))
        return Line(
            redactions=tuple(kind for result in redacted.values() for kind in result.types),
            record=record.model_copy(update={name: result.text for name, result in redacted.items()}),
        )

    def _sync(self, *, at_once: bool) -> None:
        try:
            with self._disk:
                if at_once or self._files.seconds_until_sync() == 0:
                    self._files.sync()
        except OSError as error:
            self._count("sync_failed", error)

    def _count(self, name: str, error: OSError | None = None) -> None:
        with self._changed:
            self._counts[name] += 1
        if error is not None:
            self._log(name, error)

    def _log(self, what: str, error: Exception) -> None:
        """Say that something failed: the 1st, 2nd, 4th, 8th … time, and never with a message that may hold text."""
        with self._changed:
            self._failures[what] += 1
            times = self._failures[what]
        if times & (times - 1) == 0:
            log.warning(
                "interaction.failed",
                what=what,
                times=times,
                error=type(error).__name__,
                errno=getattr(error, "errno", None),
            )


def _without_text(record: Exchange | Feedback) -> Exchange | Feedback:
    return record.model_copy(update=dict.fromkeys(texts_of(record)))


def _size(record: Exchange | Feedback) -> int:
    return _RECORD_CHARACTERS + sum(map(len, texts_of(record).values()))
