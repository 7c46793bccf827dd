"""What to take out of the raw text."""

from typing import Literal

from llmops.config import StageConfig

PersonalDataType = Literal["CARD", "EMAIL", "IBAN", "PHONE"]


class RedactConfig(StageConfig):
    """Configuration of `llmops redact`."""

    types: tuple[PersonalDataType, ...] = ("CARD", "EMAIL", "IBAN", "PHONE")
    """Kinds of personal data that are replaced by `<TYPE>`."""
    phone_regions: tuple[str, ...] = ("DE", "NO", "GB", "US", "FR")
    """Countries (ISO 3166 alpha-2) whose national phone formats are recognised; international ones always are."""
