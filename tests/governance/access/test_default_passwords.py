"""Default passwords are found wherever they are known to be, and refused outside development."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmops.governance.access.default_passwords import PLACES, look
from llmops.governance.access.keystore import KeyRecord, KeyStore
from llmops.governance.access.roles import Role
from llmops.settings import Settings

OWN = "cG4-tW9y_8f2"


def found(home: Path, variables: Mapping[str, str], **values: str) -> set[str]:
    settings = Settings(environment="development", home=home, **values)  # type: ignore[arg-type]
    return {check.what for check in look(settings, variables) if check.has_failed}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg2://airflow:airflow@postgres/airflow"),
        ("AIRFLOW__CELERY__BROKER_URL", "redis://:redis@redis:6379/0"),
        ("AIRFLOW__CELERY__RESULT_BACKEND", "db+postgresql://airflow:airflow@postgres/airflow"),
        ("ELASTICSEARCH_HOSTS", f"https://elastic:{OWN}@one:9200,https://elastic:changeme@two:9200"),
        ("MLFLOW_BACKEND_STORE_URI", "postgresql://mlflow:Password@db/mlflow"),
        ("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True"),
        ("_AIRFLOW_WWW_USER_PASSWORD", "airflow"),
        ("AIRFLOW_OPERATOR_PASSWORD", "admin"),
        ("AIRFLOW__API__SECRET_KEY", "temporary_key"),
        ("MLFLOW_AUTH_ADMIN_PASSWORD", "password1234"),
        ("ELASTIC_PASSWORD", "changeme"),
        ("POSTGRES_PASSWORD", ""),
    ],
)
def test_a_default_is_found_where_it_is(tmp_path: Path, name: str, value: str) -> None:
    assert name in PLACES
    assert found(tmp_path, {name: value}) == {name}


def test_ones_own_are_no_default(tmp_path: Path) -> None:
    logins = tmp_path / "passwords.json"
    logins.write_text(json.dumps({"operator": OWN}))
    variables = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql://airflow:{OWN}@postgres/airflow",
        "AIRFLOW__CELERY__BROKER_URL": "redis://redis:6379/0",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "false",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(logins),
        "AIRFLOW_OPERATOR_PASSWORD": OWN,
    }

    assert found(tmp_path, variables) == set()


@pytest.mark.parametrize("content", ['{"admin": "admin"}', '{"operator": "operator"}', '{"a": "x7-Kp", "b": "guest"}'])
def test_logins_of_the_simple_manager_are_looked_at(tmp_path: Path, content: str) -> None:
    logins = tmp_path / "passwords.json"
    logins.write_text(content)
    name = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"

    assert found(tmp_path, {name: str(logins)}) == {name}


def test_settings_of_ours_are_looked_at(tmp_path: Path) -> None:
    assert found(tmp_path, {}, tracking_uri="postgresql://mlflow:mlflow@db/mlflow") == {"LLMOPS_TRACKING_URI"}


@pytest.mark.parametrize("secret", ["0" * 64, "deadbeef" * 8])
def test_a_key_with_a_well_known_secret_is_found(tmp_path: Path, secret: str) -> None:
    record = KeyRecord(
        id="0" * 12,
        secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
        role=Role.ADMIN,
        subject="copied from somewhere",
        created=datetime.now(UTC),
        expires=datetime.now(UTC) + timedelta(days=1),
    )
    KeyStore(tmp_path / "access/keys.json").add(record)

    assert found(tmp_path, {}) == {"LLMOPS_ACCESS_KEYS"}


@pytest.mark.parametrize(("environment", "status"), [("production", 1), ("development", 0)])
def test_they_are_refused_outside_development(tmp_path: Path, environment: str, status: int) -> None:
    variables = {"LLMOPS_HOME": str(tmp_path), "LLMOPS_ENVIRONMENT": environment, "ELASTIC_PASSWORD": "changeme"}
    command = [str(Path(sys.executable).with_name("llmops")), "access", "check-passwords"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **variables})

    assert done.returncode == status
    assert "ELASTIC_PASSWORD" in done.stdout + done.stderr
    assert "changeme" not in done.stdout + done.stderr


def test_the_service_does_not_start_with_one(tmp_path: Path) -> None:
    variables = {"LLMOPS_HOME": str(tmp_path), "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "true"}
    command = [sys.executable, "-m", "serving"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **variables})

    assert done.returncode == 1
    assert "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS: everybody is an admin" in done.stderr
