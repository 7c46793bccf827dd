"""When a candidate may be published."""

from pydantic import Field

from llmops.config import StageConfig
from llmops.guards.personal_data import TYPES


class GateConfig(StageConfig):
    """Configuration of `llmops gate`."""

    min_perplexity_gain: float = Field(0.01, ge=0, lt=1)
    """Relative drop of held-out perplexity that the candidate needs over the untuned model and over the champion."""
    max_token_f1_loss: float = Field(0.02, ge=0, le=1)
    """How far token F1 may fall below the untuned model's and the champion's."""
    required_redactions: tuple[str, ...] = TYPES
    """Kinds of personal data that `redact` must have looked for on every day behind the candidate."""
