"""What has to hold before a decision is acted on: it is signed, all that it rests on is unchanged, complete, about this
candidate and not too old, and a person approved it.

A manifest in the lake is not signed by itself, so whoever can write there could change a report and its hash together.
Therefore the decision's signed manifest holds a seal, the hash of the manifest, of each artifact behind it.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from llmops import artifacts, digests, signing
from llmops.errors import CorruptArtifactError, Refused, SignatureError
from llmops.manifest import Manifest
from llmops.publishing.config import PublishConfig
from llmops.publishing.lineage import Lineage
from llmops.settings import Settings

_IDENTIFYING = {"finetune", "materialize", "tokenize", "split", "import-model"}
"""Stages that make one candidate differ from another."""


def reports_of(decision: Manifest) -> Iterator[Manifest]:
    """The artifacts that the gate decided on.

    Raises MissingArtifactError when one is gone or has been replaced.
    """
    direct = {item.digest for item in decision.inputs}
    return (item for item in artifacts.ancestors(decision, without=["publish"]) if item.digest in direct)


def require_intact(lineage: Lineage, config: PublishConfig, settings: Settings) -> list[Manifest]:
    """The reports behind a decision, once decision, reports and all artifacts behind them prove unchanged and its own.

    Raises SignatureError, CorruptArtifactError, MissingArtifactError, or Refused when a required report is not among
    them.
    """
    decision = lineage.decision
    signing.verify_manifest(decision, settings.trusted_key)
    for item in artifacts.ancestors(decision, without=["publish"]):
        if (decision.seals or {}).get(item.digest) != digests.of_manifest(item):
            raise CorruptArtifactError(
                f"{item.uri}: changed since {decision.uri} was decided on it; restore it, or run `llmops gate` again"
            )
    reports = list(reports_of(decision))
    for report in [decision, *reports]:
        for file in report.files:
            artifacts.read_file(report, file.name)  # raises unless it has its hash
    missing = set(config.required_reports) - {report.stage for report in reports}
    if missing:
        raise Refused(f"{decision.uri}: decided without a report of {', '.join(sorted(missing))}; run it and the gate")
    for report in reports:
        _require_own(report, lineage)
    return reports


def _require_own(report: Manifest, lineage: Lineage) -> None:
    """Refuse a report about another candidate or data set."""
    own = {lineage.adapter.digest, *(item.digest for item in artifacts.ancestors(lineage.adapter))}
    behind = list(artifacts.ancestors(report, without=["publish"]))
    foreign = [item.uri for item in behind if item.stage in _IDENTIFYING and item.digest not in own]
    if foreign or own.isdisjoint(item.digest for item in behind):
        about = foreign[0] if foreign else "nothing of it"
        raise CorruptArtifactError(
            f"{report.uri}: a report about {about}, where the candidate is {lineage.adapter.uri}; "
            f"run `llmops {report.stage}` on that one, and the gate again"
        )


def require_fresh(lineage: Lineage, reports: list[Manifest], config: PublishConfig, now: datetime) -> None:
    """Raise Refused when the decision or a report that it rests on is too old to publish on."""
    for item in (lineage.decision, *reports):
        if now - item.created_at > timedelta(days=config.max_report_age_days):
            raise Refused(
                f"{item.uri}: {(now - item.created_at).days} days old, more than {config.max_report_age_days:g}; "
                f"run `llmops {item.stage}` again with --force"
            )


def read_approval(uri: str | None, decision: Manifest, config: PublishConfig, settings: Settings) -> Manifest | None:
    """A person's signed approval of this very decision; None where none is given and none is needed.

    Raises Refused when it is needed and missing, is a rejection, belongs to another decision or has expired;
    SignatureError, MissingArtifactError or CorruptArtifactError when it is not what was recorded.
    """
    if uri is None:
        if settings.require_approval:
            raise Refused("no person has approved it; `llmops approve` records that, --approval names the record")
        return None
    approval = artifacts.read(uri, stage="approve")
    signing.verify_manifest(approval, settings.trusted_key)
    answer = json.loads(artifacts.read_named(approval, "approval.json"))
    if {answer["decision"], *(item.digest for item in approval.inputs)} != {decision.digest}:
        raise Refused(f"{uri}: approves another decision than {decision.uri}; have a person look at this one")
    if answer["choice"] != "approve":
        raise Refused(f"{uri}: {answer['by']} rejected the candidate")
    given, now = datetime.fromisoformat(answer["at"]), datetime.now(UTC)
    if not timedelta(0) <= now - given <= timedelta(days=config.max_approval_age_days):
        raise Refused(f"{uri}: approved on {given:%Y-%m-%d}, more than {config.max_approval_age_days:g} days ago")
    if given < decision.created_at:
        raise SignatureError(f"{uri}: given before the decision was taken; have a person look at this one")
    return approval
