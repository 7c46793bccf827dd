"""Finding and reading the files of a source: globs on any fsspec root, gzip undone, or http(s) addresses."""

import glob
import gzip
import io
import zlib
from dataclasses import dataclass
from datetime import date

import aiohttp
import fsspec
import httpx
import stamina

from llmops import artifacts
from llmops.collection.records import UnreadableError
from llmops.errors import SourceError

_GZIP_MAGIC = b"\x1f\x8b"
_ATTEMPTS = 3
_BUSY = {408, 425, 429}  # the 4xx that ask to come again (RFC 9110, 8470 and 6585); so does every 5xx


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source."""

    name: str
    """Path relative to the collected root, or the address: stable across machines, so it may enter row ids."""
    address: str
    """Where its bytes are, for `read`."""

    def read(self) -> bytes:
        """All bytes, decompressed if gzipped. Raises UnreadableError, or SourceError where the storage gives out."""
        data = _download(self.address) if _is_web(self.address) else _load(self.address)
        if not data.startswith(_GZIP_MAGIC):
            return data
        try:
            return gzip.GzipFile(fileobj=io.BytesIO(data)).read()
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableError(f"damaged gzip: {error}") from error


def locate(root: str, pattern: str, day: date) -> list[SourceFile]:
    """The files that `pattern` (with `{day}`) names below `root`, in order of name; none if nothing matches.

    Below a web address a pattern is looked for in the links of the server's own listings of its folders. Raises
    SourceError for a root that is not there.
    """
    pattern = pattern.replace("{day}", day.isoformat())
    if _is_web(pattern):
        return [SourceFile(name=pattern, address=pattern)]
    full = artifacts.join(root, pattern)
    if _is_web(full):
        addresses = _list_web(full) if glob.has_magic(pattern) else [full]
        return [SourceFile(address.removeprefix(root).lstrip("/"), address) for address in sorted(addresses)]
    files, base = fsspec.url_to_fs(root)
    if not files.exists(base):
        raise SourceError(f"{root}: no such folder; pass the root of the raw data")
    found = sorted(path for path in files.glob(f"{base.rstrip('/')}/{pattern}") if not files.isdir(path))
    return [SourceFile(path.removeprefix(base).lstrip("/"), files.unstrip_protocol(path)) for path in found]


def _is_web(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def _list_web(pattern: str) -> list[str]:
    """The addresses that match a pattern; fsspec reads the links of the pages on the way."""
    files = fsspec.filesystem("http", use_listings_cache=False)
    try:
        found: list[str] = files.glob(pattern)
    except (OSError, aiohttp.ClientError) as error:
        raise SourceError(f"{pattern}: cannot be listed ({error}); check the address and the server") from error
    return found


def _load(address: str) -> bytes:
    files, path = fsspec.url_to_fs(address)
    try:
        data: bytes = files.cat_file(path)
    except PermissionError as error:
        raise UnreadableError("permission denied") from error
    except OSError as error:
        raise SourceError(f"{address}: cannot be read ({error}); check the storage and collect again") from error
    return data


def _download(address: str) -> bytes:
    """The answer's content; UnreadableError for what the server refuses for good, else SourceError.

    What may be there tomorrow must not be set aside: the day would be frozen without it.
    """
    try:
        return _get(address)
    except httpx.HTTPStatusError as error:
        status = f"HTTP status {error.response.status_code}"
        if not _may_pass(error):
            raise UnreadableError(status) from error
        raise SourceError(f"{address}: {status}, {_ATTEMPTS} times; collect again when the server is well") from error
    except httpx.TransportError as error:
        raise SourceError(f"{address}: not reachable ({error}); check the address and the network") from error
    except (httpx.RequestError, httpx.InvalidURL, UnicodeError) as error:  # UnicodeError: the host's name
        raise SourceError(f"{address}: no usable answer ({error}); check the address and its server") from error


def _may_pass(error: Exception) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error or error.response.status_code in _BUSY
    return isinstance(error, httpx.TransportError)


@stamina.retry(on=_may_pass, attempts=_ATTEMPTS, timeout=60, wait_initial=0.2, wait_jitter=0.3)
def _get(address: str) -> bytes:
    return httpx.get(address, follow_redirects=True, timeout=20).raise_for_status().content
