"""How models are compared on the test part."""

from pydantic import Field

from llmops.config import StageConfig


class EvaluateConfig(StageConfig):
    """Configuration of `llmops evaluate`."""

    max_examples: int = Field(200, ge=1)
    """Examples of the test part that are scored, the first by row id."""
    generated_examples: int = Field(64, ge=1)
    """How many of them are also answered in full, for token F1, BLEU, ROUGE and all else that judges answers."""
    max_new_tokens: int = Field(64, ge=1)
    """Longest generated answer, alike for every model; what a reference answer says beyond it is missed."""
    choice_examples: int = Field(32, ge=0)
    """How many of them are also asked as multiple choice: the right answer among `choices`, by likelihood."""
    choices: int = Field(4, ge=2)
    """Answers to choose from. Each costs what scoring one more example does, for every example asked so."""
    batch_size: int = Field(16, ge=1)
    """Examples answered at once."""
    resamples: int = Field(1_000, ge=100)
    """Bootstrap samples of examples behind every 95 % interval."""
    seed: int = 0
    """Seed of the bootstrap and of the wrong answers among `choices`."""
