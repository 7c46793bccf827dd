"""Which share of the examples is held out."""

from typing import Self

from pydantic import Field, model_validator

from llmops.config import StageConfig


class SplitConfig(StageConfig):
    """Configuration of `llmops split`."""

    validation_share: float = Field(0.1, ge=0, lt=1)
    """Share of groups that tuning and early stopping look at."""
    test_share: float = Field(0.15, ge=0, lt=1)
    """Share of groups that only `evaluate` sees."""
    similarity_threshold: float = Field(0.7, gt=0, le=1)
    """Jaccard similarity of 5-character shingles from which a later example merges into an earlier one."""

    @model_validator(mode="after")
    def _leave_something_to_train_on(self) -> Self:
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share and test_share leave nothing to train on; lower them")
        return self
