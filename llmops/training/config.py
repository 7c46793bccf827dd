"""How an adapter is trained."""

from pydantic import Field

from llmops.config import StageConfig


class LoraConfig(StageConfig):
    """Shape of the low-rank adapter, on all linear layers."""

    rank: int = Field(8, ge=1)
    """Rank of the update matrices."""
    alpha: int = Field(16, ge=1)
    """Scale: the update counts alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout on the adapter's input."""


class FinetuneConfig(StageConfig):
    """Configuration of `llmops finetune`, and of `tune`'s trials in all that they do not vary.

    The search's winner replaces `learning_rate`, `lora.rank` and `lora.alpha`.
    """

    learning_rate: float = Field(5e-4, gt=0)
    """Peak learning rate, reached after the warm-up; it decays to zero along a half cosine."""
    batch_size: int = Field(4, ge=1)
    """Examples between two optimizer steps."""
    micro_batch_tokens: int = Field(512, ge=1)
    """Tokens (padding included) in one forward pass, unless one example alone is longer; gradients accumulate up to
    `batch_size`. More need more memory and are faster on a GPU; results stay the same up to rounding."""
    max_tokens: int = Field(16_000, ge=1)
    """Budget in real (non-padding) tokens: training stops before the step that would exceed it."""
    max_epochs: int = Field(3, ge=1)
    """Passes over the training part, if the token budget allows them."""
    warmup_share: float = Field(0.1, ge=0, lt=1)
    """Share of the optimizer steps spent warming up."""
    weight_decay: float = Field(0.0, ge=0)
    """AdamW's weight decay."""
    max_gradient_norm: float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    validation_examples: int = Field(16, ge=0)
    """Examples of the validation part, the first by row id, whose loss is measured before and after training."""
    seed: int = 0
    """Order of the examples and initial adapter weights."""
    lora: LoraConfig = LoraConfig()
    """Shape of the adapter."""
