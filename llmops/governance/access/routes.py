"""What the service's routes ask for, as `llmops access verify` holds it against them.

Written down here a second time, apart from the routes themselves, so that a route whose protection was forgotten or is
the wrong one differs from something. A route that is not listed has no expectation, and that is a finding.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmops.governance.access.roles import Action


@dataclass(frozen=True)
class Probe:
    """One request, and the action that it is; None for what holds nothing secret and needs no key."""

    method: str
    path: str
    """The route's pattern; for a mounted folder its prefix."""
    action: Action | None
    body: Mapping[str, Any] | None = field(default=None, hash=False)
    also: str = ""
    """What sets it apart from other requests to the same route."""
    file: str = ""
    """A file below a mounted folder."""

    @property
    def name(self) -> str:
        """For reports."""
        return " ".join(part for part in (self.method, self.path, self.also) if part)


_ASK = {"prompt": "Hello", "max_new_tokens": 1}
_CHAT = {"model": "champion", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
_COMPLETE = {"model": "champion", "prompt": "Hello", "max_tokens": 1}
_FEEDBACK = {"id": "0" * 64, "rating": "good", "consent": False}  # nobody's answer

PROBES: tuple[Probe, ...] = (
    Probe("POST", "/generate", Action.GENERATE, _ASK),
    Probe("POST", "/generate", Action.GENERATE, {**_ASK, "stream": True}, "stream"),
    Probe("POST", "/generate", Action.CHOOSE_MODEL, {**_ASK, "model": "base"}, "base"),
    Probe("POST", "/generate", Action.READ_CUSTOMER_CONTEXT, {**_ASK, "customer_id": "C-0"}, "customer"),
    Probe("POST", "/invocations", Action.GENERATE, _ASK),
    Probe("POST", "/invocations", Action.CHOOSE_MODEL, {**_ASK, "model": "base"}, "base"),
    Probe("POST", "/v1/chat/completions", Action.GENERATE, _CHAT),
    Probe("POST", "/v1/chat/completions", Action.CHOOSE_MODEL, {**_CHAT, "model": "base"}, "base"),
    Probe("POST", "/v1/completions", Action.GENERATE, _COMPLETE),
    Probe("POST", "/v1/completions", Action.CHOOSE_MODEL, {**_COMPLETE, "model": "base"}, "base"),
    Probe("GET", "/v1/models", Action.LIST_MODELS),
    Probe("POST", "/v1/feedback", Action.GIVE_FEEDBACK, _FEEDBACK),
    Probe("GET", "/metrics", Action.READ_METRICS),
    Probe("GET", "/", None),
    Probe("GET", "/docs", None),
    Probe("GET", "/openapi.json", None),
    Probe("GET", "/page", None, file="/chat.css"),
    Probe("GET", "/page/swagger", None, file="/swagger-ui.css"),
    Probe("GET", "/healthz", None),
    Probe("GET", "/readyz", None),
    Probe("GET", "/ping", None),
)
