"""Ed25519 signatures (RFC 8032): over releases, decisions and approvals, the pointer to the champion, audit entries.

What is signed is canonical JSON behind a line that names its kind, so that a signature on one kind never passes for
another. Outside a manifest's signature stand the signature itself and `uri`, which says where the lake is mounted
right now; `inputs[].uri` is inside: it is kept as it was written, and a forged lineage shall not verify.
"""

import base64
import os
import secrets
import tempfile
from pathlib import Path
from typing import Annotated

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cyclopts import Parameter

from llmops import digests
from llmops.errors import ConfigurationError, SignatureError
from llmops.manifest import Manifest
from llmops.settings import Settings

_MANIFEST_KIND = b"llmops release manifest\n"
_SIGNED = {"publish": "release", "gate": "decision", "approve": "approval"}


def create_keys(*, settings: Annotated[Settings, Parameter(parse=False)]) -> str:
    """Create the keys of releases and of pseudonyms, and say where they lie; keys that exist stay as they are.

    The pair that signs and verifies releases: the private key is PKCS 8 PEM, readable by its owner only; the public one
    goes to every machine that serves. The secret behind pseudonyms: 32 random bytes in hexadecimal, likewise its
    owner's only.
    """
    private, public, pseudonym = settings.signing_key, settings.trusted_key, settings.pseudonym_key
    if public.exists() and not private.exists():
        raise ConfigurationError(
            f"{public}: a trusted key without its private key {private}; restore that one, "
            "or move the trusted key away if nothing signed with it is to be served any more"
        )
    if not private.exists():
        _write_new(private, _to_private_pem(Ed25519PrivateKey.generate()))
    expected = _to_public_pem(_read_private(private).public_key())
    if not public.exists():
        _write_new(public, expected)
        public.chmod(0o644)
    if public.read_bytes() != expected:
        raise ConfigurationError(f"{public} does not belong to {private}; keep the pair that signed your releases")
    if not pseudonym.exists():
        _write_new(pseudonym, secrets.token_hex(32).encode())
    return (
        f"signs releases (keep secret): {private}\n"
        f"verifies releases (copy to every server): {public}\n"
        f"makes pseudonyms of people (keep secret, and the same on every machine that redacts): {pseudonym}"
    )


def sign(data: bytes, signing_key: Path) -> str:
    """Base64 signature of `data`."""
    return base64.b64encode(_read_private(signing_key).sign(data)).decode()


def verify(
    data: bytes, signature: str | None, trusted_key: Path, what: str, remedy: str = "run `llmops publish` again"
) -> None:
    """Check a signature made by `sign`; `what` names the signed thing in the SignatureError that is raised."""
    if signature is None:
        raise SignatureError(f"{what}: not signed; {remedy}")
    key = _read_public(trusted_key)
    try:
        key.verify(base64.b64decode(signature, validate=True), data)
    except (InvalidSignature, ValueError) as error:
        raise SignatureError(
            f"{what}: does not verify against {trusted_key}: changed after signing, or signed with another key; "
            f"{remedy}, or install the public key that belongs to its signer"
        ) from error


def sign_manifest(manifest: Manifest, signing_key: Path) -> str:
    """Signature over everything in the manifest but `signature` and `uri`."""
    return sign(_signed_part(manifest), signing_key)


def verify_manifest(manifest: Manifest, trusted_key: Path) -> None:
    """Raise SignatureError unless the manifest is as `sign_manifest` saw it."""
    what = f"{_SIGNED.get(manifest.stage, manifest.stage)} {manifest.uri}"
    remedy = f"run `llmops {manifest.stage}` again with --force"
    verify(_signed_part(manifest), manifest.signature, trusted_key, what, remedy)


def _signed_part(manifest: Manifest) -> bytes:
    absent = {"seals"} if manifest.seals is None else set()  # releases were signed before there were any
    fields = manifest.model_dump(mode="json", exclude={"signature", "uri", *absent})
    return _MANIFEST_KIND + digests.canonical_json(fields)


def _read_private(path: Path) -> Ed25519PrivateKey:
    pem = _read(path)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path}: not an unencrypted PEM private key; restore it") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path}: not an Ed25519 key; move it away and run `llmops create-keys`")
    return key


def _read_public(path: Path) -> Ed25519PublicKey:
    pem = _read(path)
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise ConfigurationError(f"{path}: not a PEM public key; install the one `llmops create-keys` made") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"{path}: not an Ed25519 key; install the public half of the signing key")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SignatureError(f"{path}: no such key; run `llmops create-keys`, or install the key there") from error


def _write_new(path: Path, data: bytes) -> None:
    """Write a file with mode 0600, whole or not at all, and never over another one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="_writing-") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
        path.hardlink_to(stream.name)


def _to_private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _to_public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
