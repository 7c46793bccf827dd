"""Pseudonyms: for each person whose identifier is personal data, one name that tells nothing and stays the same."""

import hmac
import unicodedata
from pathlib import Path

from llmops.errors import ConfigurationError
from llmops.guards import views

_KEY_BYTES = 32


def read_key(path: Path) -> bytes:
    """The key that `llmops create-keys` made."""
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{path}: no pseudonym key, and a row is about somebody who is named by personal data; "
            "run `llmops create-keys`, or restore the key that earlier days were redacted with"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: not a key in hexadecimal; restore it") from error
    if len(key) != _KEY_BYTES:
        raise ConfigurationError(f"{path}: holds {len(key)} bytes, not {_KEY_BYTES}; restore it")
    return key


def pseudonym(value: str, kind: str, key: bytes) -> str:
    """`<KIND:16 hexadecimal digits>`, equal for values that differ in case, white space around or Unicode form alone.

    HMAC-SHA256 (RFC 2104), so that nobody without the key can try out who it is.
    """
    plain = views.normalised(unicodedata.normalize("NFKC", value)).text.strip().casefold()
    code = hmac.digest(key, plain.encode("utf-8", "surrogatepass"), "sha256").hex()[:16]
    return f"<{kind}:{code}>"
