"""`llmops gate`: decides whether a candidate may be published. A refusal is a decision like any other."""

import json
from collections.abc import Collection
from typing import Annotated

import structlog
from cyclopts import Parameter

from llmops import artifacts, digests, signing
from llmops.artifacts import Attempt
from llmops.errors import MissingArtifactError
from llmops.governance import seals
from llmops.governance.config import GateConfig
from llmops.governance.gate import decide, find_unjudged
from llmops.manifest import Manifest
from llmops.settings import Settings

log = structlog.get_logger()


def gate_candidate(
    evaluation: str,
    target: str,
    *,
    config: GateConfig,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Write decision.json: `approved`; `checks` with metric, n, effect, interval, p and power; `reasons` in words.

    `manifest.metrics` holds approved as 1 or 0. `llmops publish` acts on approved decisions only, and only while all
    that the decision rests on is as it was: the manifest holds a seal of each artifact behind it, and is signed.
    """
    evaluated = artifacts.read(evaluation, "evaluate")
    faults = find_lineage_faults(evaluated, config.required_redactions)
    sealed = seals.behind([evaluated])

    def begin() -> Attempt:
        return artifacts.begin(
            target,
            stage="gate",
            version=3,
            config=config,
            inputs=[evaluated],
            day=evaluated.day,
            depends_on={"lineage_faults": digests.of_json(faults)},  # a lineage may break, or be repaired, later
        )

    attempt = begin()
    if attempt.committed and seals.holds(attempt.committed, sealed, settings.trusted_key):
        return attempt.committed
    if attempt.committed:  # what it rests on was made anew with equal content, or it was altered
        with artifacts.recomputing():
            attempt = begin()
    scores = json.loads(artifacts.read_named(evaluated, "scores.json"))
    decision = decide(scores, faults, config)
    failed = [reason for reason in decision.reasons if reason.startswith("failed: ")]
    log.info("candidate.approved" if decision.approved else "candidate.refused", failed=failed)
    content = {
        "approved": decision.approved,
        "reasons": decision.reasons,
        "checks": [check.as_record() for check in decision.checks],
        "unjudged": find_unjudged(scores, config),
    }
    attempt.write_bytes("decision.json", digests.canonical_json(content))
    return attempt.commit(
        metrics={"approved": float(decision.approved)},
        seals=sealed,
        sign=lambda manifest: signing.sign_manifest(manifest, settings.signing_key),
    )


def find_lineage_faults(evaluated: Manifest, required_redactions: Collection[str]) -> list[str]:
    """What is wrong with the way from raw data to the candidate, in words; empty when nothing is.

    The champion's own lineage does not count: its data may have been replaced since it was published.
    """
    own = evaluated.model_copy(update={"inputs": tuple(item for item in evaluated.inputs if item.stage != "publish")})
    try:
        behind = list(artifacts.ancestors(own))
    except MissingArtifactError as error:
        log.warning("lineage.broken", reason=str(error))
        return ["the lineage is broken: an artifact behind the candidate is gone or was replaced since"]
    raw = [item for item in behind if item.stage == "collect"]
    looked_for = {
        source.digest: set(item.config.get("types", ()))
        for item in behind
        if item.stage == "redact"
        for source in item.inputs
    }
    if not raw:
        return ["no raw data stands behind the candidate: nothing shows that it was redacted"]
    missed = {item.day: set(required_redactions) - looked_for.get(item.digest, set()) for item in raw}
    return sorted(
        f"{', '.join(sorted(kinds))} not redacted from the raw data of {day}" for day, kinds in missed.items() if kinds
    )
