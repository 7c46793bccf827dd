"""When a candidate may be published."""

from pydantic import Field

from llmops.config import StageConfig
from llmops.guards.personal_data import TYPES


class GateConfig(StageConfig):
    """Configuration of `llmops gate`: a candidate has to be better by perplexity or token F1, and worse by nothing.

    Each comparison is a paired test on the same prompts, against the untuned model and, if there is one, the champion.
    """

    alpha: float = Field(0.05, gt=0, lt=0.5)
    """Chance that an equal candidate is taken for better, and that a check for harm passes at its very limit."""
    min_perplexity_gain: float = Field(0.01, ge=0, lt=1)
    """Relative drop of perplexity that counts as better, if it is more than chance."""
    min_token_f1_gain: float = Field(0.01, ge=0, lt=1)
    """Rise of token F1 that counts as better, if it is more than chance."""
    target_perplexity_gain: float = Field(0.05, gt=0, lt=1)
    """Relative drop of perplexity for which the power of the test is stated."""
    target_token_f1_gain: float = Field(0.05, gt=0, lt=1)
    """Rise of token F1 for which the power of the test is stated: five points."""
    max_perplexity_rise: float = Field(0.05, gt=0, le=1)
    """Relative rise of perplexity that has to be ruled out."""
    max_token_f1_loss: float = Field(0.05, gt=0, le=1)
    """Fall of token F1 that has to be ruled out."""
    max_guard_rise: float = Field(0.1, gt=0, le=1)
    """Rise that has to be ruled out of the share of answers that refuse, that the guard changes, that are empty."""
    max_length_error_rise: float = Field(0.25, gt=0)
    """Rise that has to be ruled out of the error in length, the absolute log of words answered over words expected."""
    max_reading_ease_loss: float = Field(20.0, gt=0)
    """Points of Flesch reading ease whose loss has to be ruled out, if the rival has any on `min_slice_examples`."""
    max_slice_perplexity_rise: float = Field(0.15, gt=0, le=1)
    """Relative rise of perplexity that has to be ruled out in every slice."""
    max_slice_token_f1_loss: float = Field(0.1, gt=0, le=1)
    """Fall of token F1 that has to be ruled out in every slice."""
    min_slice_examples: int = Field(10, ge=2)
    """Prompts that a slice needs to be judged; smaller ones are named in the decision."""
    resamples: int = Field(9_999, ge=99)
    """Permutations behind the p-value of a gain."""
    seed: int = 0
    """Seed of the permutations."""
    required_redactions: tuple[str, ...] = TYPES
    """Kinds of personal data that `redact` must have looked for on every day behind the candidate."""
