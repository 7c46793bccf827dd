"""Where things are and with which credentials: the only module that reads the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from `LLMOPS_*` variables once, at the edge (CLI, service), and passed in from there."""

    model_config = SettingsConfigDict(env_prefix="LLMOPS_", frozen=True, use_attribute_docstrings=True)

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
    log_format: Literal["auto", "json", "console"] = "auto"
    """ECS JSON lines, coloured console lines, or whichever suits stderr."""
