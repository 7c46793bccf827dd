"""What a release is called, how it answers by default, and how it comes to be served."""

from pydantic import Field

from llmops.config import StageConfig


class PublishConfig(StageConfig):
    """Configuration of `llmops publish`."""

    name: str = Field("support-assistant", pattern=r"^[a-z][a-z0-9-]{1,40}$")
    """Name of the model in the registry, and first part of every version."""
    max_new_tokens: int = Field(96, ge=1)
    """Default length of an answer."""
    temperature: float = Field(0.0, ge=0, le=2)
    """Default sampling temperature; 0 means greedy."""
    required_reports: tuple[str, ...] = ("evaluate",)
    """Stages whose reports the decision must rest on."""
    max_report_age_days: float = Field(7.0, gt=0)
    """Age at which a report, or the decision made from it, is too old to publish on."""
    max_approval_age_days: float = Field(7.0, gt=0)
    """Age at which a person's approval is too old to publish on."""
    source_licences: dict[str, str] = Field(default_factory=dict)
    """Licence of the data by name of its source (`[collect]`), for the data card; others are given as not stated."""
    canary: bool = False
    """Whether the release is first tried on part of the traffic; the first release of a lake never is."""
