"""Keys and signatures."""

import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from llmops import signing
from llmops.errors import ConfigurationError, SignatureError
from llmops.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_only_the_owner_can_read_the_secret_keys(settings: Settings) -> None:
    signing.create_keys(settings=settings)

    assert stat.S_IMODE(settings.signing_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.pseudonym_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.trusted_key.stat().st_mode) == 0o644
    assert settings.signing_key.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert len(bytes.fromhex(settings.pseudonym_key.read_text())) == 32
    names = [path.name for path in sorted(settings.signing_key.parent.iterdir())]
    assert names == ["pseudonym.key", "signing.pem", "trusted.pem"]


def test_keys_that_exist_are_kept(settings: Settings) -> None:
    signing.create_keys(settings=settings)
    keys = (settings.signing_key, settings.trusted_key, settings.pseudonym_key)
    before = [key.read_bytes() for key in keys]

    signing.create_keys(settings=settings)

    assert [key.read_bytes() for key in keys] == before


def test_an_installation_with_a_pair_alone_gets_the_other_key(settings: Settings) -> None:
    signing.create_keys(settings=settings)
    before = settings.signing_key.read_bytes()
    settings.pseudonym_key.unlink()

    said = signing.create_keys(settings=settings)

    assert settings.signing_key.read_bytes() == before
    assert len(bytes.fromhex(settings.pseudonym_key.read_text())) == 32
    assert str(settings.pseudonym_key) in said


def test_a_lost_public_key_is_made_from_the_private_one(settings: Settings) -> None:
    signing.create_keys(settings=settings)
    before = settings.trusted_key.read_bytes()
    settings.trusted_key.unlink()

    signing.create_keys(settings=settings)

    assert settings.trusted_key.read_bytes() == before


def test_a_trusted_key_without_its_private_key_is_not_replaced(settings: Settings) -> None:
    signing.create_keys(settings=settings)
    settings.signing_key.unlink()

    with pytest.raises(ConfigurationError, match="without its private key"):
        signing.create_keys(settings=settings)

    assert not settings.signing_key.exists()


def test_a_pair_that_does_not_belong_together_is_named(settings: Settings, tmp_path: Path) -> None:
    signing.create_keys(settings=settings)
    other = Settings(home=tmp_path / "other")
    signing.create_keys(settings=other)
    settings.trusted_key.write_bytes(other.trusted_key.read_bytes())

    with pytest.raises(ConfigurationError, match="does not belong to"):
        signing.create_keys(settings=settings)


def test_signatures_are_plain_ed25519(settings: Settings) -> None:
    signing.create_keys(settings=settings)

    signature = signing.sign(b"text", settings.signing_key)

    key = load_pem_public_key(settings.trusted_key.read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    key.verify(base64.b64decode(signature), b"text")  # raises if it does not verify
    signing.verify(b"text", signature, settings.trusted_key, "it")


@pytest.mark.parametrize("change", ["text", "signature", "not base64", "none"])
def test_what_was_changed_does_not_verify(settings: Settings, change: str) -> None:
    signing.create_keys(settings=settings)
    signature = signing.sign(b"text", settings.signing_key)
    wrong = {
        "text": (b"texT", signature),
        "signature": (b"text", ("B" if signature[0] == "A" else "A") + signature[1:]),
        "not base64": (b"text", "§§§"),
        "none": (b"text", None),
    }

    with pytest.raises(SignatureError, match=r"^it: "):
        signing.verify(*wrong[change], settings.trusted_key, "it")


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_damaged_key_is_named(settings: Settings, content: bytes) -> None:
    signing.create_keys(settings=settings)
    settings.trusted_key.write_bytes(content)

    with pytest.raises(ConfigurationError, match="not a PEM public key"):
        signing.verify(b"text", "AAAA", settings.trusted_key, "it")


def test_a_missing_key_is_named_with_the_remedy(settings: Settings) -> None:
    with pytest.raises(SignatureError, match="llmops create-keys"):
        signing.sign(b"text", settings.signing_key)
