"""The file of API keys: read by a running service, changed by `llmops access`.

One JSON file that only its owner may read, replaced whole under a lock, so that a reader never sees half a file and
two writers lose nothing. A reader looks at the file's stat with every request and so sees new and revoked keys at
once. A file that is damaged, or that others may write, lets nobody in.

Not covered: a lake of many machines. Share the file (a mounted secret or volume), or use tokens instead.
"""

import os
import stat
import tempfile
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from llmops.errors import AccessUnavailableError, ConfigurationError
from llmops.governance.access.identity import Allowance
from llmops.governance.access.roles import Role

_LOCK_SECONDS = 10.0


class KeyRecord(BaseModel):
    """What is kept of one API key; not its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    secret_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    role: Role
    subject: str = Field(min_length=1, max_length=255, pattern=r"^\S(.*\S)?$")
    created: AwareDatetime
    expires: AwareDatetime
    revoked: AwareDatetime | None = None
    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_day: int | None = Field(None, ge=1)

    @property
    def allowance(self) -> Allowance:
        """The limits that the key was made with."""
        return Allowance(self.requests_per_minute, self.tokens_per_day)


class _KeyFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    keys: tuple[KeyRecord, ...] = ()


class KeyStore:
    """All keys in the file at `path`; where there is no file there are no keys."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._records: dict[str, KeyRecord] = {}

    def find(self, key_id: str) -> KeyRecord | None:
        """The key of that id; AccessUnavailableError when the file cannot be trusted."""
        return self._current().get(key_id)

    def records(self) -> list[KeyRecord]:
        """All keys, the oldest first."""
        return list(self._current().values())

    def add(self, record: KeyRecord) -> None:
        """Keep one more key."""

        def with_one_more(keys: tuple[KeyRecord, ...]) -> tuple[KeyRecord, ...]:
            if any(key.id == record.id for key in keys):
                raise ConfigurationError(f"{record.id}: there is a key of that id already; create another one")
            return (*keys, record)

        self._change(with_one_more)

    def revoke(self, key_id: str, now: datetime) -> None:
        """Withdraw a key for good; one that was withdrawn before keeps its time."""

        def with_one_revoked(keys: tuple[KeyRecord, ...]) -> tuple[KeyRecord, ...]:
            if all(key.id != key_id for key in keys):
                raise ConfigurationError(f"{key_id}: no such key in {self._path}; see `llmops access list-keys`")
            return tuple(
                key.model_copy(update={"revoked": key.revoked or now}) if key.id == key_id else key for key in keys
            )

        self._change(with_one_revoked)

    def remove(self, key_ids: Collection[str]) -> None:
        """Forget these keys: for those of a check, which would pile up as revoked ones day after day."""
        self._change(lambda keys: tuple(key for key in keys if key.id not in key_ids))

    def _current(self) -> dict[str, KeyRecord]:
        try:
            if self._seen is None or _stamp(self._path.stat()) != self._seen:
                self._read()
        except FileNotFoundError:
            self._seen, self._records = None, {}
        except OSError as error:
            raise AccessUnavailableError(
                f"{self._path}: cannot be read ({error.strerror}); nobody is let in"
            ) from error
        return self._records

    def _read(self) -> None:
        with self._path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise AccessUnavailableError(f"{self._path}: others may write it; `chmod 600` it, then check its keys")
            try:
                content = _KeyFile.model_validate_json(stream.read())
            except ValidationError as error:
                # Without the input, which may hold what someone pasted by mistake.
                where = sorted(
                    {".".join(map(str, item["loc"])) or "JSON" for item in error.errors(include_input=False)}
                )
                raise AccessUnavailableError(
                    f"{self._path}: damaged ({', '.join(where)}); nobody is let in until it is restored"
                ) from None
        self._seen, self._records = _stamp(status), {key.id: key for key in content.keys}

    def _change(self, change: Callable[[tuple[KeyRecord, ...]], tuple[KeyRecord, ...]]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(f"{self._path}.lock", timeout=_LOCK_SECONDS, mode=0o600):
                _replace(self._path, _KeyFile(keys=change(tuple(self._current().values()))))
        except Timeout as error:
            raise AccessUnavailableError(
                f"{self._path}.lock: held for {_LOCK_SECONDS:.0f} seconds by another process; try again"
            ) from error
        except OSError as error:
            raise AccessUnavailableError(f"{self._path}: cannot be written ({error.strerror})") from error


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _replace(path: Path, content: _KeyFile) -> None:
    """Write the file whole or not at all, for its owner's eyes only."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix="_writing-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(content.model_dump_json(indent=2))
            stream.flush()
            if path.exists():
                # The service may run as another user than the administrator who adds a key.
                owner = path.stat()
                os.fchown(stream.fileno(), owner.st_uid, owner.st_gid)
            os.fsync(stream.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
