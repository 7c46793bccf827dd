"""The one door: keys, tokens or nothing, as settings say."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmops.errors import (
    AccessUnavailableError,
    BadTokenError,
    CredentialError,
    ExpiredCredentialError,
    LlmopsError,
    MissingCredentialError,
    NoRoleError,
    RevokedKeyError,
    UnknownKeyError,
    WrongSecretError,
)
from llmops.governance.access import keys
from llmops.governance.access.authentication import REFUSAL, Authenticator
from llmops.governance.access.identity import Identity
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.roles import Role
from llmops.settings import Settings
from tests.governance.access.provider import AUDIENCE, ISSUER, make_key, make_token, public_jwk, running_provider

SIGNING = make_key("ES256")
NOW = datetime.now(UTC)


def identify(settings: Settings, credential: str | None) -> Identity:
    async def ask() -> Identity:
        return await Authenticator(settings).identify(credential, NOW)

    return asyncio.run(ask())


def make(settings: Settings, role: Role = Role.USER, **changes: Any) -> str:
    return keys.create(KeyStore(settings.access_keys), role=role, subject="shop", **({"now": NOW} | changes))


def revoked(settings: Settings) -> str:
    key = make(settings)
    KeyStore(settings.access_keys).revoke(key.split("_")[1], NOW)
    return key


@pytest.mark.parametrize("role", Role)
def test_a_key_of_every_role_is_let_in(tmp_path: Path, role: Role) -> None:
    settings = Settings(home=tmp_path)

    assert identify(settings, make(settings, role)).role is role


def test_keys_and_tokens_go_side_by_side(tmp_path: Path) -> None:
    with running_provider() as provider:
        provider.keys = [public_jwk(SIGNING, "one")]
        settings = Settings(
            environment="development",
            home=tmp_path,
            oidc_issuer=ISSUER,
            oidc_audience=AUDIENCE,
            oidc_jwks=provider.address,
            oidc_roles_claim="groups",
        )

        by_key = identify(settings, make(settings))
        by_token = identify(settings, make_token(SIGNING, "one", "ES256", groups=["admin"]))
        with pytest.raises(ExpiredCredentialError):
            identify(settings, make_token(SIGNING, "one", "ES256", exp=1))
        with pytest.raises(NoRoleError):
            identify(settings, make_token(SIGNING, "one", "ES256"))

    assert (by_key.role, by_token.role) == (Role.USER, Role.ADMIN)


@pytest.mark.parametrize(
    ("present", "error"),
    [
        (lambda _: None, MissingCredentialError),
        (lambda _: "", MissingCredentialError),
        (lambda _: f"llmops_{'0' * 12}_{'0' * 64}", UnknownKeyError),
        (lambda settings: make(settings)[:-64] + "0" * 64, WrongSecretError),
        (lambda settings: make(settings, now=datetime(2020, 1, 1, tzinfo=UTC)), ExpiredCredentialError),
        (revoked, RevokedKeyError),
        (lambda _: make_token(SIGNING, "one", "ES256"), BadTokenError),
    ],
)
def test_each_refusal_has_its_own_error_and_one_answer(
    tmp_path: Path, present: Callable[[Settings], str | None], error: type[LlmopsError]
) -> None:
    settings = Settings(home=tmp_path)

    with pytest.raises(CredentialError) as caught:
        identify(settings, present(settings))

    assert type(caught.value) is error
    assert str(caught.value) != REFUSAL


def test_open_access_lets_anyone_in_as_user_and_wrong_keys_not_at_all(tmp_path: Path) -> None:
    settings = Settings(environment="development", open_access=True, home=tmp_path)

    assert identify(settings, None).role is Role.USER
    with pytest.raises(UnknownKeyError):
        identify(settings, "llmops_guessed")


def test_damaged_keys_let_nobody_in_but_do_not_look_like_a_wrong_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    key = make(settings)
    settings.access_keys.write_text("{")

    with pytest.raises(AccessUnavailableError):
        identify(settings, key)
