"""Default passwords and doors that stand open: where they would be, and what was found there.

`PLACES` is the list of where is looked. The service does so when it starts, `make up` does, and `llmops access verify`
reports it. A password that is read here is never repeated, in no message.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from llmops.errors import AccessUnavailableError, ConfigurationError
from llmops.governance.access.findings import Check
from llmops.governance.access.keystore import KeyRecord, KeyStore
from llmops.settings import DEFAULT_PASSWORDS, Settings, surroundings

ADDRESSES = (
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "LLMOPS_TRACKING_URI",
    "LLMOPS_ACCESS_LIMIT_STORAGE",
    "LLMOPS_ELASTICSEARCH_URL",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_BACKEND_STORE_URI",
    "ELASTICSEARCH_HOSTS",
    "REDIS_URL",
)
"""Variables that hold an address with a login in it: PostgreSQL, Redis, MLflow, Elasticsearch."""
PASSWORDS = (
    "AIRFLOW_OPERATOR_PASSWORD",
    "_AIRFLOW_WWW_USER_PASSWORD",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "MLFLOW_AUTH_ADMIN_PASSWORD",
    "MLFLOW_TRACKING_PASSWORD",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "ELASTIC_PASSWORD",
)
"""Variables that hold a password or a secret itself."""
_LOGINS_FILE = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
_OPEN_DOOR = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"
_KEYS = "LLMOPS_ACCESS_KEYS"
PLACES = (*ADDRESSES, *PASSWORDS, _LOGINS_FILE, _OPEN_DOOR, _KEYS)

_KNOWN = DEFAULT_PASSWORDS | {
    "airflow",
    "changeit",
    "elastic",
    "mlflow",
    "password1234",
    "postgres",
    "redis",
    "root",
    "temporary_key",
    "test",
}
_KNOWN_SECRETS = {digit * 64 for digit in "0123456789abcdef"} | {"0123456789abcdef" * 4, "deadbeef" * 8}
_KNOWN_DIGESTS = {hashlib.sha256(secret.encode()).hexdigest() for secret in _KNOWN_SECRETS}


def look(settings: Settings, variables: Mapping[str, str] | None = None) -> list[Check]:
    """One check per place, passed or failed, whatever the environment; `variables` are this process's, if not given."""
    given = surroundings() if variables is None else variables
    found = dict(_find(settings, given))
    fine = "no default"
    return [
        Check("password", place, "anyone who has read its manual", fine, found.get(place, fine)) for place in PLACES
    ]


def refuse_defaults(settings: Settings, variables: Mapping[str, str] | None = None) -> None:
    """Raise ConfigurationError, outside development, that names every place with a default password."""
    failed = [check for check in look(settings, variables) if check.has_failed]
    if failed and settings.environment != "development":
        places = "; ".join(f"{check.what}: {check.got}" for check in failed)
        raise ConfigurationError(f"{places}. Set others, or LLMOPS_ENVIRONMENT=development")


def _find(settings: Settings, given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong, by place."""
    own = {"LLMOPS_TRACKING_URI": settings.tracking_uri, "LLMOPS_ACCESS_LIMIT_STORAGE": settings.access_limit_storage}
    for name in ADDRESSES:
        # Celery's result backend has `db+` before its scheme; ELASTICSEARCH_HOSTS may name several.
        if any(_has_default_login(part.strip()) for part in {**given, **own}.get(name, "").split(",")):
            yield name, "a login with a default password"
    for name in PASSWORDS:
        if name in given and (not given[name] or given[name].casefold() in _KNOWN):
            yield name, "a default password"
    if _has_default_logins(given.get(_LOGINS_FILE)):
        yield _LOGINS_FILE, "a user with a default password"
    if given.get(_OPEN_DOOR, "").casefold() in {"true", "t", "1", "yes", "on"}:
        yield _OPEN_DOOR, "everybody is an admin"
    if any(record.secret_sha256 in _KNOWN_DIGESTS for record in _records(settings)):
        yield _KEYS, "a key with a well-known secret"


def _has_default_login(address: str) -> bool:
    try:
        login = urlsplit(address)
    except ValueError:
        return False
    if not login.password:
        return False
    password = unquote(login.password)
    return password.casefold() in _KNOWN or password in {login.username, login.hostname}


def _has_default_logins(path: str | None) -> bool:
    """Whether a file of SimpleAuthManager holds one; what cannot be read is Airflow's own problem."""
    try:
        logins = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return False
    return any(password == user or str(password).casefold() in _KNOWN for user, password in logins.items())


def _records(settings: Settings) -> list[KeyRecord]:
    try:
        return KeyStore(settings.access_keys).records()
    except AccessUnavailableError:
        return []  # nobody is let in anyway
