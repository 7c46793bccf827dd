"""What a decision rests on: the artifacts between raw data and a candidate, found through their manifests."""

from dataclasses import dataclass
from datetime import date

from llmops import artifacts
from llmops.errors import CorruptArtifactError
from llmops.manifest import Manifest

DAILY_STAGES = ("collect", "redact", "clean", "annotate")


@dataclass(frozen=True)
class Lineage:
    """The artifacts behind one decision."""

    decision: Manifest
    evaluation: Manifest
    adapter: Manifest
    features: Manifest
    tuning: Manifest
    model: Manifest
    split: Manifest
    days: tuple[Manifest, ...]
    """What the daily stages made, by day and stage."""

    @property
    def as_of(self) -> date:
        """Last day whose data the candidate was trained on."""
        if self.split.day is None:
            raise CorruptArtifactError(f"{self.split.uri}: names no day; run `llmops split` again with --force")
        return self.split.day

    @property
    def system(self) -> str:
        """System message of the training examples; the newest day's, should days differ."""
        annotated = [item for item in self.days if item.stage == "annotate"]
        return str(annotated[-1].config["system"])

    @property
    def compared_champion(self) -> str | None:
        """Digest of the release that was champion when the candidate was evaluated."""
        return next((item.digest for item in self.evaluation.inputs if item.stage == "publish"), None)


def trace(decision: Manifest) -> Lineage:
    """Walk from a decision back to the raw data.

    Raises MissingArtifactError when an artifact on the way is gone or was replaced since: what cannot be traced is not
    published.
    """
    evaluation = _nearest(decision, "evaluate")
    adapter = _nearest(evaluation, "finetune")
    daily = [item for item in artifacts.ancestors(adapter) if item.stage in DAILY_STAGES]
    return Lineage(
        decision=decision,
        evaluation=evaluation,
        adapter=adapter,
        features=_nearest(adapter, "materialize"),
        tuning=_nearest(adapter, "tune"),
        model=_nearest(adapter, "import-model"),
        split=_nearest(adapter, "split"),
        days=tuple(sorted(daily, key=lambda item: (artifacts.day_of(item.uri), DAILY_STAGES.index(item.stage)))),
    )


def _nearest(manifest: Manifest, stage: str) -> Manifest:
    found = next((item for item in artifacts.ancestors(manifest) if item.stage == stage), None)
    if found is None:
        raise CorruptArtifactError(f"{manifest.uri}: was not made from any output of `llmops {stage}`; make it again")
    return found
