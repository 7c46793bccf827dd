"""API keys: who gets in, and with which error the others do not."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmops.errors import (
    ConfigurationError,
    CredentialError,
    ExpiredCredentialError,
    RevokedKeyError,
    UnknownKeyError,
    WrongSecretError,
)
from llmops.governance.access import keys
from llmops.governance.access.identity import Allowance
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.roles import Role

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "access/keys.json")


def make(store: KeyStore, **changes: object) -> str:
    return keys.create(store, **{"role": Role.USER, "subject": "web shop", "now": NOW} | changes)  # type: ignore[arg-type]


def id_of(key: str) -> str:
    return key.split("_")[1]


def test_a_key_identifies_its_subject_with_its_role_and_limits(store: KeyStore) -> None:
    key = make(store, role=Role.DEVELOPER, subject="Ada", allowance=Allowance(30, 5_000))

    identity = keys.verify(key, store, NOW)

    assert (identity.subject, identity.role) == ("Ada", Role.DEVELOPER)
    assert identity.allowance == Allowance(requests_per_minute=30, tokens_per_day=5_000)
    assert identity.credential == f"key:{id_of(key)}"


def test_a_secret_has_32_random_bytes_of_which_the_file_holds_the_sha256_alone(store: KeyStore, tmp_path: Path) -> None:
    made = [make(store) for _ in range(20)]

    content = (tmp_path / "access/keys.json").read_text()
    secrets = [re.fullmatch(r"llmops_[0-9a-f]+_([0-9a-f]+)", key)[1] for key in made]  # type: ignore[index]
    assert {len(bytes.fromhex(secret)) for secret in secrets} == {32}
    assert len(set(secrets)) == 20
    for secret in secrets:
        assert secret not in content
        assert hashlib.sha256(secret.encode()).hexdigest() in content


def test_a_key_lasts_ninety_days_by_default(store: KeyStore) -> None:
    key = make(store)

    assert keys.verify(key, store, datetime(2027, 2, 22, 11, 59, 59, tzinfo=UTC)).subject == "web shop"
    with pytest.raises(ExpiredCredentialError, match="expired 2027-02-22 12:00"):
        keys.verify(key, store, datetime(2027, 2, 22, 12, tzinfo=UTC))


def test_a_revoked_key_is_refused_whatever_its_end(store: KeyStore) -> None:
    key, other = make(store), make(store)

    store.revoke(id_of(key), NOW)

    with pytest.raises(RevokedKeyError):
        keys.verify(key, store, NOW)
    assert keys.verify(other, store, NOW).role is Role.USER


def test_a_key_revoked_twice_keeps_its_first_time(store: KeyStore) -> None:
    key = make(store)

    store.revoke(id_of(key), NOW)
    store.revoke(id_of(key), NOW + timedelta(days=3))

    assert store.records()[0].revoked == NOW


def test_the_secret_of_another_key_is_wrong(store: KeyStore) -> None:
    mine, other = make(store), make(store, role=Role.ADMIN)

    with pytest.raises(WrongSecretError):
        keys.verify(f"llmops_{id_of(other)}_{mine.rsplit('_', 1)[1]}", store, NOW)


def test_nothing_is_said_about_a_revoked_or_expired_key_to_who_does_not_have_it(store: KeyStore) -> None:
    revoked, expired = make(store), make(store, lifetime_days=1)
    store.revoke(id_of(revoked), NOW)

    for key in (revoked, expired):
        with pytest.raises(WrongSecretError):
            keys.verify(f"llmops_{id_of(key)}_{'0' * 64}", store, NOW + timedelta(days=2))


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda _: "llmops_",
        lambda _: f"llmops_{'a' * 12}_{'b' * 64}",
        lambda key: key[:-1],
        lambda key: key + "0",
        lambda key: key + "\n",
        lambda key: " " + key,
        lambda key: key.upper(),
        lambda key: key.replace("_", "-"),
        lambda key: key[:-1] + "\N{FULLWIDTH DIGIT ONE}",
        lambda key: key[:-1] + "\0",
        lambda key: key * 100_000,
    ],
)
def test_what_is_not_one_of_our_keys_is_unknown(store: KeyStore, change: Callable[[str], str]) -> None:
    key = make(store)

    with pytest.raises(UnknownKeyError):
        keys.verify(change(key), store, NOW)


def test_no_error_repeats_the_secret(store: KeyStore) -> None:
    revoked, expired, wrong = make(store), make(store, lifetime_days=1), make(store)[:-4] + "0000"
    store.revoke(id_of(revoked), NOW)

    for key in (revoked, expired, wrong, f"llmops_{'a' * 12}_{'b' * 64}", wrong[:-1]):
        with pytest.raises(CredentialError) as caught:
            keys.verify(key, store, NOW + timedelta(days=2))
        assert key.rsplit("_", 1)[1][:16] not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"subject": ""}, "subject"),
        ({"subject": "  "}, "subject"),
        ({"subject": "shop\n"}, "subject"),
        ({"subject": "x" * 256}, "subject"),
        ({"allowance": Allowance(requests_per_minute=0)}, "requests_per_minute"),
        ({"allowance": Allowance(tokens_per_day=-1)}, "tokens_per_day"),
        ({"lifetime_days": 0}, "0 days"),
        ({"lifetime_days": -5}, "-5 days"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(store: KeyStore, wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make(store, **wrong)

    assert store.records() == []
