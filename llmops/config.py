"""The base of every stage's configuration."""

import re

from pydantic import BaseModel, ConfigDict

LOGIN = re.compile(r"(?<=://)[^/?#]*@")
"""Name and password in an address: configurations hold none, and no message repeats one."""


class StageConfig(BaseModel):
    """What a stage is to do: frozen, strict about unknown keys, without secrets, hosts or dates.

    The docstring under each field is its comment, its text in the JSON schema and its help in the CLI.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
