"""Answer ids that every replica can verify with a shared secret alone: no store has to be asked.

An id is 64 hexadecimal digits: 16 random bytes, then 16 bytes of HMAC-SHA256 (RFC 2104) over them and over whoever the
answer was given to. So nobody can rate an answer that was given to somebody else, or one that was never given.

Not covered: an end of validity, and rating one's own answer many times (the stage joins what was said to one row).
"""

import hmac
import re
import secrets

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PATTERN = r"^[0-9a-f]{64}$"
"""The form of an answer id."""
_FORM = re.compile(r"[0-9a-f]{64}")
_RANDOM_BYTES = _TAG_BYTES = 16


def derive_secret(key: bytes) -> bytes:
    """The secret of answer ids (32 bytes) from the key in `settings.pseudonym_key`.

    HKDF-SHA256 (RFC 5869): the pseudonyms that the same key makes tell nothing about it.
    """
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"llmops answer ids 1").derive(key)


def make(secret: bytes, subject: str) -> str:
    """A new id for an answer that is given to `subject` (any text that names them for good, such as a pseudonym)."""
    random = secrets.token_bytes(_RANDOM_BYTES)
    return (random + _tag(secret, random, subject)).hex()


def belongs_to(secret: bytes, answer_id: str, subject: str) -> bool:
    """Whether `make` made this id for `subject`; takes equally long for every wrong id of the right form."""
    if not _FORM.fullmatch(answer_id):
        return False
    given = bytes.fromhex(answer_id)
    random, tag = given[:_RANDOM_BYTES], given[_RANDOM_BYTES:]
    return hmac.compare_digest(tag, _tag(secret, random, subject))


def _tag(secret: bytes, random: bytes, subject: str) -> bytes:
    # The random part has a fixed length, so no two pairs of it and a subject run together to the same bytes.
    return hmac.digest(secret, random + subject.encode("utf-8", "surrogatepass"), "sha256")[:_TAG_BYTES]
