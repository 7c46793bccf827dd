"""What to take out of the raw text."""

from typing import Literal

from phonenumbers import SUPPORTED_REGIONS
from pydantic import Field, field_validator

from llmops.config import StageConfig

PersonalDataType = Literal["CARD", "EMAIL", "IBAN", "PHONE"]


class RedactConfig(StageConfig):
    """Configuration of `llmops redact`."""

    types: tuple[PersonalDataType, ...] = Field(("CARD", "EMAIL", "IBAN", "PHONE"), min_length=1)
    """Kinds of personal data that are replaced by `<TYPE>`, or by a pseudonym where they name whom a row is about."""
    phone_regions: tuple[str, ...] = ("DE", "NO", "GB", "US", "FR")
    """Countries (ISO 3166 alpha-2) whose national phone formats are recognised; international ones always are."""

    @field_validator("phone_regions")
    @classmethod
    def _check_regions(cls, regions: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(regions) - SUPPORTED_REGIONS):
            raise ValueError(
                f"{', '.join(unknown)}: no such region; give countries as ISO 3166 alpha-2, such as DE or GB"
            )
        return regions
