"""What the app holds while it runs."""

from dataclasses import dataclass, field

from serving.admission import Places
from serving.metrics import Metrics
from serving.models import Models
from serving.settings import ServingSettings


@dataclass
class Service:
    """State of one process: nothing is loaded at first."""

    settings: ServingSettings
    models: Models = field(init=False)
    places: Places = field(init=False)
    metrics: Metrics = field(init=False)
    failure: BaseException | None = None
    """Why nothing could be loaded."""

    def __post_init__(self) -> None:
        self.models = Models(self.settings)
        self.places = Places(self.settings.queue_size)
        self.metrics = Metrics(self.places)
