"""Finding and reading the files of a source: globs on any fsspec root, gzip undone, or http(s) addresses."""

import gzip
import io
from dataclasses import dataclass
from datetime import date

import fsspec
import httpx
import stamina

from llmops import artifacts
from llmops.collection.records import UnreadableError
from llmops.errors import SourceError

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source."""

    name: str
    """Path relative to the collected root, or the address: stable across machines, so it may enter row ids."""
    address: str
    """Where its bytes are, for `read`."""

    def read(self) -> bytes:
        """All bytes, decompressed if gzipped. Raises UnreadableError, or SourceError where the network gives out."""
        data = _download(self.address) if _is_web(self.address) else _load(self.address)
        if not data.startswith(_GZIP_MAGIC):
            return data
        try:
            return gzip.GzipFile(fileobj=io.BytesIO(data)).read()
        except (OSError, EOFError) as error:
            raise UnreadableError(f"damaged gzip: {error}") from error


def locate(root: str, pattern: str, day: date) -> list[SourceFile]:
    """The files that `pattern` (with `{day}`) names below `root`, in order of name; none if nothing matches."""
    pattern = pattern.replace("{day}", day.isoformat())
    if _is_web(pattern):
        return [SourceFile(name=pattern, address=pattern)]
    full = artifacts.join(root, pattern)
    if _is_web(full):
        return [SourceFile(name=pattern, address=full)]
    files, base = fsspec.url_to_fs(root)
    if not files.exists(base):
        raise SourceError(f"{root}: no such folder; pass the root of the raw data")
    found = sorted(path for path in files.glob(f"{base.rstrip('/')}/{pattern}") if not files.isdir(path))
    return [SourceFile(path.removeprefix(base).lstrip("/"), files.unstrip_protocol(path)) for path in found]


def _is_web(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def _load(address: str) -> bytes:
    files, path = fsspec.url_to_fs(address)
    try:
        data: bytes = files.cat_file(path)
    except PermissionError as error:
        raise UnreadableError("permission denied") from error
    return data


def _download(address: str) -> bytes:
    try:
        response = _get(address)
    except httpx.TransportError as error:
        raise SourceError(f"{address}: not reachable ({error}); check the address and the network") from error
    if response.is_error:
        raise UnreadableError(f"HTTP status {response.status_code}")
    return response.content


@stamina.retry(on=httpx.TransportError, attempts=3, timeout=60)
def _get(address: str) -> httpx.Response:
    return httpx.get(address, follow_redirects=True, timeout=20)
