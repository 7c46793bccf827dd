"""How the tagger of names and addresses learns."""

from pydantic import Field

from llmops.config import StageConfig


class TrainTaggerConfig(StageConfig):
    """Configuration of `llmops train-tagger`."""

    sentences: int = Field(60_000, ge=100)
    """Sentences that are made up for the training; those of the corpora come on top."""
    invented_names: float = Field(0.25, ge=0, le=1)
    """Share of names that no list holds, so that the model learns from what stands around them too."""
    negatives: int = Field(2, ge=1)
    """How often each text of the corpora that has no labels at all is used, with made-up names put around it or not."""
    epochs: int = Field(4, ge=1)
    """Passes over the sentences."""
    learning_rate: float = Field(0.05, gt=0)
    """Step size of Adagrad."""
    buckets: int = Field(65_536, ge=1024)
    """Rows of the table of hashed features, a power of two; five bytes each."""
    seed: int = 0
    """Seed of everything that is drawn."""
