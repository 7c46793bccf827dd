"""How `llmops access verify` looks."""

from typing import Literal

from pydantic import Field

from llmops.config import StageConfig


class VerifyAccessConfig(StageConfig):
    """Configuration of `llmops access verify`."""

    engine: Literal["openvino", "transformers", "vllm"] = "transformers"
    """What runs the candidate in the service of its own; access does not depend on it, and this one starts soonest."""
    start_seconds: int = Field(600, ge=1)
    """How long that service may take to get ready."""
