"""What is written down for good: manifests, pointers, certificates, entries of logs."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Immutable; a field that nobody knows is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
