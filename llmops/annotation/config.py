"""How examples are made out of clean rows."""

from typing import Literal

from pydantic import Field

from llmops.config import StageConfig


class AnnotateConfig(StageConfig):
    """Configuration of `llmops annotate`."""

    system: str = "You are a customer support assistant. Answer briefly and only with what you know."
    """System message that opens every conversation, in training and in serving."""
    injections: Literal["quarantine", "count"] = "quarantine"
    """What happens to a row that reads like an attempt to take a model over, in question, answer or text: it is set
    aside with the rules that it breaks, or kept; either way the manifest counts it."""
    context_threshold: float = Field(0.25, ge=0, le=1)
    """Cosine similarity (TF-IDF) from which a knowledge row becomes a question's context; joins by key need none."""
    context_characters: int = Field(400, ge=0)
    """Longest context of an example; a longer one is cut at a sentence or word end. 0 leaves contexts out."""
