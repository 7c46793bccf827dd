"""Which foundation model everything starts from."""

from llmops.config import StageConfig


class ImportModelConfig(StageConfig):
    """Configuration of `llmops import-model`."""

    base_model: str
    """`hub:OWNER/NAME@REVISION`, a local folder, or `package:MODULE/FILE.gguf` for a file in an installed package."""
    licence: str
    """SPDX identifier of the model's licence, for the model card."""
