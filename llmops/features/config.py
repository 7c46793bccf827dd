"""What the feature store holds and checks."""

from pydantic import Field

from llmops.config import StageConfig


class MaterializeConfig(StageConfig):
    """Configuration of `llmops materialize`."""

    parity_sample: int = Field(20, ge=0)
    """Examples read back online and compared with their offline features before the artifact is committed."""


class MaterializeCustomersConfig(StageConfig):
    """Configuration of `llmops materialize-customers`."""

    sources: tuple[str, ...] = ()
    """Sources of `[collect]` whose rows are a customer's orders; of two that tell of one order at one time, the first
    named counts. A row's `subject` is the customer, its other `keys` are the order."""
    orders: int = Field(5, ge=1)
    """Orders that the online store keeps of a customer, those that changed last."""
