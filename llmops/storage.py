"""Files written whole or not at all, on disk and on object stores alike."""

import os
import uuid
from pathlib import Path

from fsspec import AbstractFileSystem


def is_local(files: AbstractFileSystem) -> bool:
    """Whether it is this machine's disk."""
    return "file" in ([files.protocol] if isinstance(files.protocol, str) else files.protocol)


def put(files: AbstractFileSystem, path: str, data: bytes, *, scratch: str | None = None) -> None:
    """Write a whole file or nothing: rename into place on disk, a single PUT on object stores.

    The unfinished file lies in `scratch`, a folder on the same disk; in the target's own if not given.
    """
    if not is_local(files):
        files.pipe_file(path, data)
        return
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(scratch or final.parent) / f"_writing-{uuid.uuid4().hex[:12]}"
    with unfinished.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(final)
