"""Bearer tokens against a real key set on loopback: what a provider signs, and what attackers try."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from llmops.errors import BadTokenError, CredentialError, ExpiredCredentialError, NoRoleError
from llmops.governance.access.identity import Identity
from llmops.governance.access.jwks import KeySet
from llmops.governance.access.roles import Role
from llmops.governance.access.tokens import TokenVerifier
from tests.governance.access.provider import (
    AUDIENCE,
    ISSUER,
    Provider,
    make_key,
    make_token,
    public_jwk,
    running_provider,
)

RSA_KEY, EC_KEY = make_key("RS256"), make_key("ES256")
NOW = datetime.now(UTC)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        provider.keys = [public_jwk(RSA_KEY, "rsa", "RS256", use="sig"), public_jwk(EC_KEY, "ec")]
        yield provider


def verify(provider: Provider, token: str, **changes: Any) -> Identity:
    expected = {"issuer": ISSUER, "audience": AUDIENCE} | changes
    return asyncio.run(TokenVerifier(KeySet(provider.address), **expected).verify(token))


def encode(part: dict[str, Any] | bytes) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign_by_hand(header: dict[str, Any], secret: bytes) -> str:
    """A token with an HMAC over the claims of a good one, made without PyJWT, which refuses such keys."""
    claims = make_token(RSA_KEY, "rsa").split(".")[1]
    signed = f"{encode(header)}.{claims}"
    return f"{signed}.{encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_a_good_token_identifies_its_subject(provider: Provider, algorithm: str) -> None:
    private = make_key(algorithm)
    provider.keys.append(public_jwk(private, "new", algorithm))

    identity = verify(provider, make_token(private, "new", algorithm, sub="grace", roles=["admin", "offline_access"]))

    assert (identity.subject, identity.role) == ("grace", Role.ADMIN)


def test_all_tokens_of_one_subject_are_one_account(provider: Provider) -> None:
    first = verify(provider, make_token(RSA_KEY, "rsa", jti="1"))
    second = verify(provider, make_token(EC_KEY, "ec", "ES256", jti="2"))
    other = verify(provider, make_token(RSA_KEY, "rsa", sub="grace"))

    assert first.account == second.account
    assert first.credential != second.credential
    assert other.account != first.account
    assert "ada" not in first.account + first.credential


def test_a_token_without_a_signature_is_refused(provider: Provider) -> None:
    claims = make_token(RSA_KEY, "rsa").split(".")[1]

    for name in ("none", "None", "NONE", "nOnE", ""):
        with pytest.raises(BadTokenError):
            verify(provider, f"{encode({'alg': name, 'typ': 'JWT', 'kid': 'rsa'})}.{claims}.")


@pytest.mark.parametrize("key_format", [PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1])
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_public_key_as_shared_secret_is_refused(
    provider: Provider, key_format: PublicFormat, encoding: Encoding
) -> None:
    assert isinstance(RSA_KEY, rsa.RSAPrivateKey)
    public = RSA_KEY.public_key().public_bytes(encoding, key_format)

    with pytest.raises(BadTokenError):
        verify(provider, sign_by_hand({"alg": "HS256", "typ": "JWT", "kid": "rsa"}, public))


def test_a_shared_secret_in_the_key_set_signs_nothing(provider: Provider) -> None:
    secret = b"s" * 32
    provider.keys.append({"kty": "oct", "k": encode(secret), "kid": "shared", "alg": "HS256"})

    with pytest.raises(BadTokenError):
        verify(provider, sign_by_hand({"alg": "HS256", "kid": "shared"}, secret))


def test_a_key_sent_along_in_the_token_is_not_used(provider: Provider) -> None:
    attacker = make_key("RS256")
    claims = jwt.decode(make_token(RSA_KEY, "rsa"), options={"verify_signature": False})
    headers = {"kid": "rsa", "jwk": public_jwk(attacker, "rsa"), "jku": "http://127.0.0.1:9/keys"}
    token = jwt.encode(claims, attacker, "RS256", headers)

    with pytest.raises(BadTokenError):
        verify(provider, token)


def test_the_key_decides_about_the_algorithm(provider: Provider) -> None:
    with pytest.raises(BadTokenError):
        verify(provider, make_token(RSA_KEY, "rsa", "RS512"))


def test_a_key_for_encryption_signs_nothing(provider: Provider) -> None:
    provider.keys = [public_jwk(RSA_KEY, "rsa", use="enc"), public_jwk(EC_KEY, "ec")]

    with pytest.raises(BadTokenError):
        verify(provider, make_token(RSA_KEY, "rsa"))


def test_a_short_rsa_key_signs_nothing(provider: Provider) -> None:
    weak = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505 - that is the point
    provider.keys.append(public_jwk(weak, "weak"))
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = make_token(weak, "weak")

    with pytest.raises(BadTokenError):
        verify(provider, token)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another service"},
        {"aud": ["another", "third"]},
        {"aud": None},
        {"iss": "https://login.example/other"},
        {"iss": f"{ISSUER}/"},
        {"iss": None},
        {"nbf": NOW + timedelta(minutes=10)},
        {"iat": NOW + timedelta(minutes=10)},
        {"iat": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"sub": None},
        {"sub": ""},
        {"sub": " "},
        {"sub": "x" * 256},
    ],
)
def test_a_claim_that_is_not_as_agreed_is_refused(provider: Provider, changes: dict[str, Any]) -> None:
    with pytest.raises(BadTokenError):
        verify(provider, make_token(RSA_KEY, "rsa", **changes))


def test_an_audience_may_be_one_of_several(provider: Provider) -> None:
    assert verify(provider, make_token(RSA_KEY, "rsa", aud=["another", AUDIENCE])).subject == "ada"


def test_clocks_may_differ_by_thirty_seconds(provider: Provider) -> None:
    now = datetime.now(UTC)

    just = {"exp": now - timedelta(seconds=15), "iat": now - timedelta(minutes=5)}
    ahead = {"iat": now + timedelta(seconds=15), "nbf": now + timedelta(seconds=15)}

    assert verify(provider, make_token(RSA_KEY, "rsa", **just)).subject == "ada"
    assert verify(provider, make_token(RSA_KEY, "rsa", **ahead)).subject == "ada"
    with pytest.raises(ExpiredCredentialError):
        verify(provider, make_token(RSA_KEY, "rsa", exp=now - timedelta(seconds=31)))


def test_every_changed_character_of_the_claims_breaks_the_signature(provider: Provider) -> None:
    header, claims, signature = make_token(RSA_KEY, "rsa").split(".")

    async def try_all() -> int:
        verifier, refused = TokenVerifier(KeySet(provider.address), issuer=ISSUER, audience=AUDIENCE), 0
        for place, character in enumerate(claims):
            changed = claims[:place] + ("A" if character != "A" else "B") + claims[place + 1 :]
            try:
                await verifier.verify(f"{header}.{changed}.{signature}")
            except CredentialError:
                refused += 1
        return refused

    assert asyncio.run(try_all()) == len(claims)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "..",
        "a.b.c",
        "\udcff.x.y",
        "ключ.и.замок",
        "x" * 20_000,
        f"{encode(b'[' * 5_000)}.e30.x",
        f"{encode(b'{' + b'[' * 11_000)}.e30.x",
        f"{encode(b'[]')}.e30.x",
        f"{encode({'alg': ['RS256'], 'kid': 'rsa'})}.e30.x",
        f"{encode({'alg': {}, 'kid': 'rsa'})}.e30.x",
        f"{encode({'alg': 'RS256', 'kid': ['rsa']})}.e30.x",
        f"{encode({'alg': 'RS256', 'kid': None})}.e30.x",
        f"{encode({'alg': 'RS256', 'kid': 'rsa'})}.e30.x",
        f"{encode({'alg': 'RS256', 'kid': 'rsa', 'crit': ['x']})}.e30.x",
        f"{encode({'alg': 'RS256', 'kid': 'rsa', 'b64': False, 'crit': ['b64']})}.e30.x",
    ],
)
def test_what_is_no_token_is_refused_without_another_error(provider: Provider, token: str) -> None:
    with pytest.raises(BadTokenError):
        verify(provider, token)


def test_a_token_that_names_no_key_is_refused(provider: Provider) -> None:
    with pytest.raises(BadTokenError):
        verify(provider, make_token(RSA_KEY, None))


@pytest.mark.parametrize("roles", [None, [], ["offline_access"], "nobody", 7, {"admin": True}, [["admin"]], [1, None]])
def test_a_token_without_a_role_of_ours_is_refused(provider: Provider, roles: Any) -> None:
    with pytest.raises(NoRoleError):
        verify(provider, make_token(RSA_KEY, "rsa", roles=roles))


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        ("roles", {"roles": "admin"}),
        ("realm_access.roles", {"realm_access": {"roles": ["user", "admin"]}}),
        ("resource_access.llmops.roles", {"resource_access": {"llmops": {"roles": ["Admin"]}}}),
        ("https://shop.example/roles", {"https://shop.example/roles": ["admin"]}),
    ],
)
def test_roles_are_found_where_providers_put_them(provider: Provider, path: str, claims: dict[str, Any]) -> None:
    token = make_token(RSA_KEY, "rsa", **({"roles": None} | claims))

    assert verify(provider, token, roles_claim=path).role is Role.ADMIN


def test_no_error_repeats_the_token(provider: Provider) -> None:
    for token in (make_token(RSA_KEY, "rsa", aud="x"), make_token(RSA_KEY, "gone"), "Zm9vYmFy.YmFyYmF6.cXV4cXV4"):
        with pytest.raises(CredentialError) as caught:
            verify(provider, token)
        assert not any(part in str(caught.value) for part in token.split("."))
