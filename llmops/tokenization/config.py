"""How long an example may be."""

from pydantic import Field

from llmops.config import StageConfig


class TokenizeConfig(StageConfig):
    """Configuration of `llmops tokenize`."""

    max_tokens: int = Field(512, ge=8)
    """Longest example, prompt and answer together; longer ones are set aside, never cut."""
