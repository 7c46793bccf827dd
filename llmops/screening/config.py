"""How the classifier of the injection screen is trained."""

from pydantic import Field

from llmops.config import StageConfig


class ScreeningCorpusConfig(StageConfig):
    """Configuration of `llmops make-screening-corpus`."""

    seed: int = 1
    """Seed of the generated texts."""
    attacks: int = Field(12_000, ge=100)
    """Attacks generated in English."""
    attacks_other_languages: int = Field(4_000, ge=100)
    """Attacks generated in other languages."""
    benign: int = Field(24_000, ge=100)
    """Texts generated that are no attack and use the same words."""
    has_documentation: bool = True
    """Whether documentation of Python and interface texts of Airflow in all its languages, both as installed, stand for
    ordinary text."""


class TrainScreenConfig(StageConfig):
    """Configuration of `llmops train-screen`."""

    buckets_log2: int = Field(20, ge=12, le=22)
    """Logarithm of the number of weights: 20 is a megabyte, a third of that in the file."""
    minimum_texts: int = Field(3, ge=1)
    """Texts of the corpus that an n-gram must stand in; a rarer one weighs nothing, like one that was never seen."""
    inverse_regularisation: float = Field(30.0, gt=0)
    """C of the logistic regression: larger trusts the corpus more."""
    folds: int = Field(5, ge=2)
    """Models that are trained besides, each without some templates and sources, to score those: they set the threshold
    and the worth of the rules."""
    false_positive_rate: float = Field(0.01, gt=0, lt=0.5)
    """Share of ordinary texts that the model has not seen that may be flagged."""
    false_positive_rate_of_hard: float = Field(0.05, gt=0, lt=0.5)
    """The same of benign texts full of an attack's words, of templates that the model has not seen."""
