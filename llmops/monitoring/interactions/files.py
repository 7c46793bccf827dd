"""The spool's files as one process writes them: `{folder}/ds=YYYY-MM-DD/<host>-<pid>-<random>.jsonl`.

A line is handed to the operating system whole and at once, so it survives the end of the process, however that comes.
fsync follows within `sync_seconds`, if the process is not busy with one record for longer: a power cut loses no more
than that (on ext4, XFS and Btrfs, which store a new file's name together with its content).
"""

import os
import re
import secrets
import socket
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic

_OPEN_DAYS = 2  # around midnight answers of the old day are still coming in


@dataclass(slots=True)
class _File:
    descriptor: int
    size: int = 0
    """Bytes of whole lines."""
    is_synced: bool = True


class SpoolFiles:
    """One append-only file per day, readable by the owner only. One thread at a time may use it."""

    def __init__(self, folder: Path, sync_seconds: float) -> None:
        self._folder, self._sync_seconds = folder, sync_seconds
        self._files: dict[date, _File] = {}
        self._unsynced_since: float | None = None

    def append(self, day: date, line: bytes) -> None:
        """Write one line, which ends in a line feed.

        Raises OSError when the disk does not take it; then nothing of it stays, or the file is given up with a torn
        last line and the next line opens another one.
        """
        file = self._file_of(day)
        try:
            left = memoryview(line)
            while left:
                left = left[os.write(file.descriptor, left) :]
        except OSError:
            self._undo(day, file)
            raise
        file.size += len(line)
        file.is_synced = False
        if self._unsynced_since is None:
            self._unsynced_since = monotonic()

    def seconds_until_sync(self) -> float | None:
        """How long fsync may still wait; None when there is nothing to sync."""
        since = self._unsynced_since  # read once: other threads may ask
        return None if since is None else max(0.0, since + self._sync_seconds - monotonic())

    def sync(self) -> None:
        """Bring every line to the disk itself; raises OSError when that fails for a file, after trying them all."""
        self._unsynced_since = None
        failed: list[OSError] = []
        for file in self._files.values():
            try:
                _sync(file)
            except OSError as error:
                failed.append(error)
        if failed:
            raise failed[0]

    def close(self) -> None:
        """Close all files without fsync; writing opens new ones."""
        for file in self._files.values():
            os.close(file.descriptor)
        self._files.clear()

    def _file_of(self, day: date) -> _File:
        file = self._files.get(day)
        if file and os.fstat(file.descriptor).st_nlink:
            return file
        if file:  # somebody removed or replaced it, as an erasure does: lines would go where nobody finds them
            self._give_up(day, file)
        if len(self._files) == _OPEN_DAYS:
            oldest = min(self._files)
            try:
                _sync(self._files[oldest])
            finally:
                self._give_up(oldest, self._files[oldest])
        self._files[day] = self._open(day)
        return self._files[day]

    def _open(self, day: date) -> _File:
        folder = self._folder / f"ds={day}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        host = re.sub(r"[^A-Za-z0-9.]", "_", socket.gethostname())
        path = folder / f"{host}-{os.getpid()}-{secrets.token_hex(6)}.jsonl"
        return _File(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600))

    def _undo(self, day: date, file: _File) -> None:
        try:
            os.ftruncate(file.descriptor, file.size)
        except OSError:
            self._give_up(day, file)

    def _give_up(self, day: date, file: _File) -> None:
        del self._files[day]
        os.close(file.descriptor)


def _sync(file: _File) -> None:
    if not file.is_synced:
        os.fsync(file.descriptor)
        file.is_synced = True
