"""Which foundation model everything starts from."""

from pydantic import Field

from llmops.config import StageConfig


class ImportModelConfig(StageConfig):
    """Configuration of `llmops import-model`."""

    base_model: str
    """`hub:OWNER/NAME@COMMIT`, a local folder, or `package:MODULE/FILE.gguf` for a file in an installed package."""
    licence: str
    """SPDX identifier of the model's licence, for the model card."""
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    """Hash that the file of a `package:` model must have; empty: any. Hub models are pinned by their commit."""
