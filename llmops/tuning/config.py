"""What the search varies, and how long it may take."""

from pydantic import Field

from llmops.config import StageConfig


class TuneConfig(StageConfig):
    """Configuration of `llmops tune`. Fields that it does not vary come from `finetune`'s defaults."""

    trials: int = Field(3, ge=1)
    """Trials; HyperOpt's TPE draws its first 20 at random, so fewer are random search and are called so."""
    tokens_per_trial: int = Field(1_500, ge=1)
    """Training tokens of one trial."""
    validation_examples: int = Field(16, ge=1)
    """Examples of the validation part whose loss decides."""
    learning_rate_low: float = Field(1e-5, gt=0)
    """Lower end of the log-uniform range of learning rates."""
    learning_rate_high: float = Field(1e-3, gt=0)
    """Upper end of that range."""
    ranks: tuple[int, ...] = (8, 16)
    """LoRA ranks to choose from; alpha is twice the rank."""
    seed: int = 0
    """Seed of the search."""
