"""Settings that must not stand open by accident."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.settings import Settings

PROVIDER = {"oidc_issuer": "https://login.example", "oidc_audience": "llmops", "oidc_jwks": "https://login.example/k"}


@pytest.mark.parametrize(
    "values",
    [
        {"open_access": True},
        {"environment": "production", "open_access": True},
        {"environment": "Development", "open_access": True},
        {"tracking_uri": "postgresql://mlflow:mlflow@db/mlflow"},
        {"tracking_uri": "postgresql://airflow:changeme@db/mlflow"},
        {"access_limit_storage": "async+redis://:admin@cache:6379"},
        {"access_limit_storage": "async+redis://:redis@redis:6379"},
        {**PROVIDER, "oidc_jwks": "http://login.example/k"},
        {**PROVIDER, "oidc_jwks": "HTTP://login.example/k"},
    ],
)
def test_what_is_open_is_refused_outside_development(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"open_access": True},
        {"tracking_uri": "postgresql://mlflow:mlflow@db/mlflow"},
        {**PROVIDER, "oidc_jwks": "http://127.0.0.1:8080/k"},
    ],
)
def test_development_may_be_open(values: dict[str, Any]) -> None:
    given = Settings(environment="development", **values)

    assert given.model_dump(include=set(values)) == values


@pytest.mark.parametrize(
    "values",
    [
        {},
        PROVIDER,
        {**PROVIDER, "oidc_jwks": "keys/provider.json"},
        {"tracking_uri": "postgresql://mlflow:cG4-tW9y@db/mlflow"},
        {"access_limit_storage": "async+redis://:cG4-tW9y@redis:6379"},
        {"access_limit_storage": "async+redis://redis:6379"},
    ],
)
def test_production_accepts_what_is_closed(values: dict[str, Any]) -> None:
    assert Settings(**values).open_access is False


@pytest.mark.parametrize("missing", sorted(PROVIDER))
def test_half_a_provider_is_refused(missing: str) -> None:
    with pytest.raises(ValidationError, match=f"not set: LLMOPS_{missing.upper()}"):
        Settings(**{name: value for name, value in PROVIDER.items() if name != missing})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [("LLMOPS_OPEN_ACCESS", "true"), ("LLMOPS_OIDC_ISSUER", "https://x"), ("LLMOPS_ENVIRONMENT", "staging")],
)
def test_the_command_line_names_the_wrong_variable(tmp_path: Path, name: str, value: str) -> None:
    environment = {**os.environ, "LLMOPS_HOME": str(tmp_path), name: value}
    command = [str(Path(sys.executable).with_name("llmops")), "access", "list-keys"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    assert done.returncode == 1
    assert done.stderr.startswith("error: LLMOPS_")
    assert done.stderr.count("\n") == 1
    assert name.rsplit("_", 1)[0] in done.stderr
