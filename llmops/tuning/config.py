"""What the search varies, and how long it may take."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from llmops.config import StageConfig


class TuneConfig(StageConfig):
    """Configuration of `llmops tune`."""

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
    ranks: tuple[Annotated[int, Field(ge=1)], ...] = Field((8, 16), min_length=1)
    """LoRA ranks to choose from; alpha is twice the rank."""
    seed: int = 0
    """Seed of the search."""

    @model_validator(mode="after")
    def _order_the_range(self) -> Self:
        low, high = self.learning_rate_low, self.learning_rate_high
        if low >= high:
            raise ValueError(
                f"learning_rate_low ({low:g}) is not below learning_rate_high ({high:g}); swap or widen them"
            )
        return self
