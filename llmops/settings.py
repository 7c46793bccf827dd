"""Where things are and with which credentials: the only module that reads the environment."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_PASSWORDS = {"admin", "changeme", "default", "guest", "llmops", "minio123", "minioadmin", "password", "secret"}
"""What examples and images come with, beside a password that equals its user's name."""


def surroundings() -> Mapping[str, str]:
    """The environment variables of this process, for what looks into those of other programs."""
    return dict(os.environ)


class Settings(BaseSettings):
    """Read from `LLMOPS_*` variables once, at the edge (CLI, service), and passed in from there."""

    model_config = SettingsConfigDict(env_prefix="LLMOPS_", frozen=True, use_attribute_docstrings=True)

    environment: Literal["development", "production"] = "production"
    """`development` permits what must never stand open elsewhere: access without a key, default passwords, a key set
    over plain http. What does not say where it runs is held to be production."""
    require_approval: bool = Field(default_factory=lambda given: given["environment"] != "development")
    """Whether a release needs the approval of a person; it always does outside development."""
    home: Path = Path(".llmops")
    """Folder of everything this machine keeps, unless a setting below says otherwise."""
    lake: str = Field(default_factory=lambda given: f"{given['home']}/lake")
    """Root of all artifacts, as any fsspec URI."""
    spark_master: str = "local[*]"
    """Where Spark runs."""
    feature_repo: Path = Path("feature_repo")
    """Folder with `feature_store.yaml`; `feast apply` has been run on it by the deployment."""
    tracking_uri: str = Field(default_factory=lambda given: f"sqlite:///{given['home']}/mlflow.db")
    """MLflow's tracking store and registry."""
    signing_key: Path = Field(default_factory=lambda given: given["home"] / "keys/signing.pem")
    """Ed25519 private key that signs releases (PEM, PKCS 8); `llmops create-keys` makes one."""
    trusted_key: Path = Field(default_factory=lambda given: given["home"] / "keys/trusted.pem")
    """Ed25519 public key that releases must verify against (PEM)."""
    pseudonym_key: Path = Field(default_factory=lambda given: given["home"] / "keys/pseudonym.key")
    """Secret that stands behind the pseudonyms of people (32 bytes in hexadecimal); `llmops create-keys` makes one."""
    actor: str | None = Field(None, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    """On whose behalf a command runs, for the audit log: a service's account, or a run of Airflow with its starter."""
    audit_log: Path = Field(default_factory=lambda given: given["home"] / "audit/audit.jsonl")
    """Log of privileged actions, on a disk that supports file locks."""
    audit_key: Path = Field(default_factory=lambda given: given["signing_key"])
    """Ed25519 private key that signs its entries; another one where who makes API keys may not sign releases."""
    audit_trusted_key: Path = Field(default_factory=lambda given: given["trusted_key"])
    """The public half of it."""
    access_keys: Path = Field(default_factory=lambda given: given["home"] / "access/keys.json")
    """File of the service's API keys, hashed; `llmops access create-key` makes one."""
    access_key: SecretStr | None = None
    """An API key or token: who runs a command on the command line. Without one, the account on this machine counts."""
    access_accounts: dict[str, Literal["user", "developer", "admin"]] | None = None
    """Roles on the command line of this machine's accounts, as a JSON object; `*` stands for every other one. If not
    given, an account counts as a Developer, and in development as an Admin."""
    access_requests_per_minute: int = Field(60, ge=1)
    """Requests a minute of one account, unless its key says otherwise."""
    access_tokens_per_day: int = Field(1_000_000, ge=1)
    """Tokens a day of one account, prompts and answers together, unless its key says otherwise."""
    access_limit_storage: str = Field("async+memory://", repr=False)
    """Where requests and tokens are counted: in the service itself, or for several of them in
    `async+redis://[:password@]host:port` (any asyncio storage of the library `limits`)."""
    open_access: bool = False
    """Whether a request without a key is let in, as a User; in development only."""
    oidc_issuer: str | None = None
    """Issuer of bearer tokens, as their `iss` claim says it; without one, API keys alone are accepted."""
    oidc_audience: str | None = None
    """What tokens must name in their `aud` claim."""
    oidc_roles_claim: str = "roles"
    """Claim that names roles (admin, developer, user): a name, or a path such as `realm_access.roles`."""
    oidc_jwks: str | None = Field(None, validate_default=True)
    """The issuer's public keys: an https address, or a file."""
    service_logs: str = Field(default_factory=lambda given: f"{given['home']}/run/service*.log")
    """Files with the JSON lines of every service that answers (a glob pattern): what a canary is judged by."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """ECS JSON lines, coloured console lines, or whichever suits stderr."""

    @field_validator("tracking_uri", "access_limit_storage")
    @classmethod
    def _has_no_default_password(cls, uri: str, given: ValidationInfo) -> str:
        address = urlsplit(uri)
        known = {*DEFAULT_PASSWORDS, address.username or address.hostname}
        if address.password and address.password in known and not _is_development(given):
            raise ValueError("its password is a default one; set another, or LLMOPS_ENVIRONMENT=development")
        return uri

    @field_validator("open_access")
    @classmethod
    def _is_open_in_development_only(cls, is_open: bool, given: ValidationInfo) -> bool:
        if is_open and not _is_development(given):
            raise ValueError("only with LLMOPS_ENVIRONMENT=development; `llmops access create-key` makes a key")
        return is_open

    @field_validator("require_approval")
    @classmethod
    def _is_left_out_in_development_only(cls, is_required: bool, given: ValidationInfo) -> bool:
        if not is_required and not _is_development(given):
            raise ValueError("releases need approval, but with LLMOPS_ENVIRONMENT=development")
        return is_required

    @field_validator("oidc_jwks")
    @classmethod
    def _is_a_whole_and_safe_provider(cls, jwks: str | None, given: ValidationInfo) -> str | None:
        values = {"issuer": given.data.get("oidc_issuer"), "audience": given.data.get("oidc_audience"), "jwks": jwks}
        missing = [f"LLMOPS_OIDC_{name.upper()}" for name, value in values.items() if not value]
        if 0 < len(missing) < len(values):
            raise ValueError(f"tokens need issuer, audience and key set; not set: {', '.join(missing)}")
        if jwks and urlsplit(jwks).scheme == "http" and not _is_development(given):
            raise ValueError("whoever can change plain http on its way makes himself an Admin; give an https address")
        return jwks


def _is_development(given: ValidationInfo) -> bool:
    return given.data.get("environment") == "development"
