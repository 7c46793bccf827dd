"""How one day's interactions are put together, and which of them may train."""

from pydantic import Field

from llmops.config import StageConfig


class StoreInteractionsConfig(StageConfig):
    """Configuration of `llmops store-interactions`."""

    feedback_days: int = Field(30, ge=0)
    """Days back from the stored one in which the answer is looked for that feedback is about; later feedback is set
    aside."""
    max_trainable_per_subject: int = Field(20, ge=1)
    """Rows of one subject in one day that may train; the earliest ones do. Nobody can fill a day alone."""
