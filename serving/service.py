"""What the app holds while it runs."""

from dataclasses import dataclass, field

from llmops.governance.access.authentication import Authenticator
from llmops.governance.access.identity import Allowance
from llmops.governance.access.limits import Limits
from serving.admission import Places
from serving.customers import Customers
from serving.guards import Guards
from serving.interactions import Interactions
from serving.metrics import Metrics
from serving.models import Models
from serving.settings import ServingSettings


@dataclass
class Service:
    """State of one process: nothing is loaded at first. Belongs to one event loop."""

    settings: ServingSettings
    models: Models = field(init=False)
    places: Places = field(init=False)
    metrics: Metrics = field(init=False)
    authenticator: Authenticator = field(init=False)
    limits: Limits = field(init=False)
    customers: Customers = field(init=False)
    interactions: Interactions = field(init=False)
    guards: Guards = field(init=False)
    failure: BaseException | None = None
    """Why nothing could be loaded."""

    def __post_init__(self) -> None:
        platform = self.settings.platform
        self.models = Models(self.settings)
        self.places = Places(self.settings.queue_size)
        self.metrics = Metrics(self.places)
        self.authenticator = Authenticator(platform)
        self.limits = Limits(
            platform.access_limit_storage,
            default=Allowance(platform.access_requests_per_minute, platform.access_tokens_per_day),
        )
        self.customers = Customers(self.settings)
        self.interactions = Interactions(self.settings)
        self.guards = Guards(self.settings)
        self.metrics.tell_interactions(self.interactions.counts)
        self.metrics.tell_shares(lambda: self.models.lineup.shares if self.models.lineup else {})
