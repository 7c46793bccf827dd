"""A lake where a challenger is tried, and a config that decides after six clean answers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from llmops.manifest import Manifest
from llmops.publishing import pointers, releases
from llmops.publishing.canary import commands
from llmops.publishing.canary.config import CanaryConfig, RateLimits, RatioLimits
from llmops.publishing.pointers import ChallengerPointer, Pointer
from llmops.settings import Settings
from tests.publishing.canary.access_log import ANSWER, AccessLog
from tests.publishing.small_lake import make_decision, publish

WIDE = RateLimits(promote_below=0.5)
# Ten times the money decides, either way: (1.9**6 + 1.5**6 + 1.25**6 + 1.12**6 + 1.06**6 + 1.03**6) / 6 = 11.1, so six
# blocks without a loss earn it, and five (6.6) do not.
CONFIG = CanaryConfig(
    shares=(0.1, 0.5),
    answers_needed=(5, 10),
    alpha=0.4,
    promotion_alpha=0.1,
    error=WIDE,
    refusal=WIDE,
    latency=RatioLimits(promote_below=3),
)


@dataclass
class Site:
    """A lake with a champion and its challenger, and the log of the service that answers with both."""

    settings: Settings
    champion: str
    challenger: str
    log: AccessLog

    def pointer(self) -> ChallengerPointer:
        """What challenger.json says."""
        found = pointers.read(ChallengerPointer, self.settings.lake, self.settings.trusted_key)
        assert found is not None
        return found

    def served(self) -> Pointer:
        """What champion.json says."""
        found = pointers.read(Pointer, self.settings.lake, self.settings.trusted_key)
        assert found is not None
        return found

    def judge(self) -> str:
        """Look once."""
        return commands.judge(settings=self.settings)

    def pairs(self, count: int, fields: dict[str, Any] = ANSWER) -> None:
        """Good answers by the champion, each followed by the challenger's."""
        self.log.pairs(count, self.champion, self.challenger, fields)

    def decision(self) -> dict[str, Any]:
        """The one decision file."""
        (path,) = Path(self.settings.lake, "canaries").iterdir()
        content: dict[str, Any] = json.loads(path.read_text())
        assert path.name == f"{content['challenger']['sequence']:06}-{self.challenger}.json"
        return content

    def aliases(self) -> dict[str, str]:
        """Release by alias, as MLflow shows it."""
        uri = self.settings.tracking_uri
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        found = client.get_registered_model("shop-assistant").aliases
        return {
            alias: client.get_model_version("shop-assistant", number).description for alias, number in found.items()
        }


def try_another(settings: Settings, adapter_folder: Path, seed: int = 1) -> Manifest:
    """Publish a second release as the champion's challenger."""
    champion = releases.read_champion(settings.lake, settings.trusted_key)
    decision = make_decision(settings, adapter_folder, training_seed=seed, champion=champion)
    return publish(settings, decision, trial=CONFIG)
