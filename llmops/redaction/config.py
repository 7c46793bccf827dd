"""What to take out of the raw text."""

from typing import Self

from phonenumbers import SUPPORTED_REGIONS
from pydantic import Field, field_validator, model_validator

from llmops.config import StageConfig
from llmops.guards.spans import TYPES, PersonalDataType


class RedactConfig(StageConfig):
    """Configuration of `llmops redact`."""

    types: tuple[PersonalDataType, ...] = Field(TYPES, min_length=1, validate_default=True)
    """Kinds of personal data that are replaced by `<TYPE>`, or by a pseudonym where they name whom a row is about."""
    quarantined_types: tuple[PersonalDataType, ...] = ()
    """Those of `types` that nobody should have written at all: rows that hold one are set aside, redacted as well."""
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

    @model_validator(mode="after")
    def _check_quarantined(self) -> Self:
        if unknown := sorted(set(self.quarantined_types) - set(self.types)):
            raise ValueError(f"quarantined_types: {', '.join(unknown)}: is not looked for; add it to `types`")
        return self
