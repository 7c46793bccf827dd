"""What the feature store checks."""

from pydantic import Field

from llmops.config import StageConfig


class MaterializeConfig(StageConfig):
    """Configuration of `llmops materialize`."""

    parity_sample: int = Field(20, ge=0)
    """Examples read back online and compared with their offline features before the artifact is committed."""
