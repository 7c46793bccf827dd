"""What is kept of an answer, and of what its reader said about it.

`Exchange` and `Feedback` are what the service hands over, `Line` is what lies in the spool: the same record after
redaction, with a note on what was withheld. Whoever an exchange is about appears as a pseudonym only.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StrictBool,
    model_validator,
)

from llmops.monitoring.interactions.answer_ids import PATTERN
from llmops.records import Record


def _without_surrogates(value: object) -> object:
    """Lone surrogates, which JSON may hold and UTF-8 and Parquet cannot, become question marks."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _unless_blank(value: str | None) -> str | None:
    return value if value and value.strip() else None


AnswerId = Annotated[str, Field(pattern=PATTERN)]
Subject = Annotated[str, Field(pattern=r"^<[A-Z]+:[0-9a-f]{16}>$")]  # so that no name or address gets in by mistake
Text = Annotated[str, BeforeValidator(_without_surrogates)]
Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Exchange(Record):
    """One answer and what it was made from."""

    kind: Literal["exchange"] = "exchange"
    answer_id: AnswerId
    event_time: Time
    """When the answer was complete; its day in UTC is the partition that it belongs to."""
    model: str
    """Version of the release that answered."""
    template: str
    """Version of the prompt template."""
    subject: Subject
    """Pseudonym of whoever asked (`pseudonyms.pseudonym`)."""
    consent: StrictBool
    """Whether they agreed that the text is kept and may train models. Without it no text goes further than memory."""
    question: Text | None = None
    context: Text | None = None
    answer: Text | None = None


class Feedback(Record):
    """What the reader of an answer said about it."""

    kind: Literal["feedback"] = "feedback"
    answer_id: AnswerId
    event_time: Time
    rating: Literal["good", "bad"] | None = None
    corrected_answer: Annotated[Text | None, AfterValidator(_unless_blank)] = None
    """What the answer should have been; blank text counts as none."""
    subject: Subject
    consent: StrictBool
    """Whether the reader agrees, at this time: the last word said about an answer counts, also for its exchange."""


TEXT_FIELDS = ("question", "context", "answer", "corrected_answer")
"""The fields of either record that hold text."""


def texts_of(record: Exchange | Feedback) -> dict[str, str]:
    """The texts in a record, by the names of their fields."""
    found = {name: getattr(record, name, None) for name in TEXT_FIELDS}
    return {name: text for name, text in found.items() if text is not None}


class Line(Record):
    """One line of a spool file."""

    version: Literal[1] = 1
    withheld: Literal["no_consent", "redaction_failed"] | None = None
    """Why the texts of the record are not here, if they are not."""
    redactions: tuple[str, ...] = ()
    """Types of personal data found, one per finding."""
    record: Annotated[Exchange | Feedback, Field(discriminator="kind")]

    @model_validator(mode="after")
    def _hold_no_text_that_is_withheld(self) -> Self:
        if (self.withheld or not self.record.consent) and texts_of(self.record):
            raise ValueError("text without consent")
        return self
