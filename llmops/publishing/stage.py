"""`llmops publish`: a signed release folder, its mirror in MLflow, and last the pointer that has it served."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatch
from typing import Annotated, Any

import structlog
from cyclopts import Parameter

from llmops import artifacts, audit, digests, signing
from llmops.artifacts import Attempt
from llmops.errors import ArtifactError, Refused, SignatureError
from llmops.manifest import Manifest
from llmops.publishing import card, checks, releases
from llmops.publishing.canary import trials
from llmops.publishing.canary.config import CanaryConfig
from llmops.publishing.config import PublishConfig
from llmops.publishing.dossier import files as dossier
from llmops.publishing.lineage import Lineage, trace
from llmops.publishing.releases import BaseModelRecord, Champion, ReleaseRecord
from llmops.settings import Settings

ADAPTER_FILES = ("adapter_model.safetensors", "adapter_config.json")
_TOKENIZER_FILES = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "chat_template.jinja",
)
log = structlog.get_logger()


def publish_release(
    decision: str,
    target: str,
    *,
    approval: str | None = None,
    config: PublishConfig,
    canary: CanaryConfig,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Release the candidate of an approved decision under `target`/VERSION and make it the champion.

    With `config.canary` it becomes the champion's challenger instead, and has to prove what `canary` says; where there
    is no champion, it is champion at once.

    Cut short anywhere, a rerun completes it: the release is found by its cache key, the mirror by digests, and
    champion.json or challenger.json is written last. Raises Refused when the decision did not approve, was taken
    against another champion than the present one, or is about an adapter that is champion already; with a canary also
    while a challenger is being tried, and when this one has lost; and when a person's approval is needed and missing,
    or something it rests on is too old. Raises SignatureError when the keys do not fit, ArtifactError when anything
    behind the decision was altered.

    Parameters
    ----------
    approval
        Folder of the approval, such as LAKE/approvals/as_of=DAY; may be left out in development.
    """
    with audit.recorded("publish", decision, settings) as outcome:
        release, named = _publish(decision, target, approval, config, canary, settings)
        outcome.detail = f"{release.uri.rsplit('/', 1)[-1]} is {named}"
    return release


def _publish(
    decision: str, target: str, approval: str | None, config: PublishConfig, canary: CanaryConfig, settings: Settings
) -> tuple[Manifest, str]:
    """The release, and what it was named: champion or challenger."""
    lineage = trace(artifacts.read(decision, stage="gate"))
    champion = releases.read_champion(settings.lake, settings.trusted_key)
    reports = checks.require_intact(lineage, config, settings)
    _refuse_unless_due(lineage, champion)
    if not _has_made(lineage, champion):
        checks.require_fresh(lineage, reports, config, datetime.now(UTC))
    approved = checks.read_approval(approval, lineage.decision, config, settings)
    record = _record(lineage, config, settings)
    opponent = champion if config.canary and not _has_made(lineage, champion) else None
    if opponent is not None:
        trials.refuse_unless_free(record.version, opponent, settings)
    release = _write_release(
        artifacts.join(target, record.version), record, lineage, reports, approved, config, settings
    )

    # MLflow takes 3 CPU seconds to import: a publication that is refused does not pay them.
    from llmops.publishing import registry  # noqa: PLC0415 - see above

    alias = registry.CHAMPION if opponent is None else registry.CHALLENGER
    registry.mirror(release, record, lineage, name=config.name, alias=alias, tracking_uri=settings.tracking_uri)
    if opponent is None:
        releases.write_champion(settings.lake, release, record.version, settings=settings)
    else:
        now = datetime.now(UTC)
        trials.begin(release, record.version, opponent.pointer, config=canary, settings=settings, now=now)
    return release, alias


def _has_made(lineage: Lineage, champion: Champion | None) -> bool:
    """Whether this very decision made the champion."""
    return champion is not None and lineage.decision.digest in {item.digest for item in champion.release.inputs}


def _refuse_unless_due(lineage: Lineage, champion: Champion | None) -> None:
    decision = _read_json(lineage.decision, "decision.json")
    if not decision["approved"]:
        faults = [reason for reason in decision["reasons"] if not reason.startswith(("passed: ", "not needed: "))]
        raise Refused(f"the candidate was not approved: {'; '.join(faults)}")
    if champion is None and lineage.compared_champion is None:
        return
    if _has_made(lineage, champion):
        return  # a rerun
    if champion is not None and champion.record.adapter == lineage.adapter.digest:
        raise Refused(f"{champion.record.version} is champion already and was made from this adapter")
    if champion is None or champion.release.digest != lineage.compared_champion:
        present = champion.record.version if champion else "none"
        raise Refused(
            f"the candidate was compared with another champion than the present one ({present}); "
            "run `llmops evaluate` and `llmops gate` again"
        )


def _record(lineage: Lineage, config: PublishConfig, settings: Settings) -> ReleaseRecord:
    model = lineage.model
    return ReleaseRecord(
        version=f"{config.name}-{lineage.as_of.isoformat()}-{lineage.adapter.digest[:8]}",
        as_of=lineage.as_of,
        base=BaseModelRecord(
            path=releases.relative_to(settings.lake, model.uri),
            digest=model.digest,
            licence=str(model.config["licence"]),
            files={file.name.split("/", 1)[1]: file.sha256 for file in model.files},
        ),
        adapter=lineage.adapter.digest,
        features=lineage.features.digest,
        template=template_of(lineage.features),
        system=lineage.system,
        max_new_tokens=config.max_new_tokens,
        temperature=config.temperature,
        scores=_read_json(lineage.evaluation, "evaluation.json"),
    )


def is_of_tokenizer(name: str) -> bool:
    """Whether a base model's file is part of its tokenizer."""
    return any(fnmatch(name, pattern) for pattern in _TOKENIZER_FILES)


def template_of(features: Manifest) -> str:
    """Version of the prompt template that the training set was rendered with."""
    versions = set(artifacts.read_table(features, columns=["template"])["template"].to_pylist())
    if len(versions) != 1:
        raise Refused(
            f"{features.uri}: rendered with several prompt templates ({', '.join(sorted(versions))}), "
            "of which only one can be served; run `llmops annotate` for the older days and everything after it again"
        )
    return str(versions.pop())


def _write_release(
    uri: str,
    record: ReleaseRecord,
    lineage: Lineage,
    reports: Sequence[Manifest],
    approval: Manifest | None,
    config: PublishConfig,
    settings: Settings,
) -> Manifest:
    """The signed release, verified after writing: a signing key that serving does not trust must not get further."""
    attempt = _begin(uri, lineage, approval, config, settings)
    if attempt.committed is None:
        for name in ADAPTER_FILES:
            attempt.write_bytes(name, artifacts.read_named(lineage.adapter, name))
        for name in artifacts.named_files(lineage.model):
            if is_of_tokenizer(name):
                attempt.write_bytes(name, artifacts.read_named(lineage.model, name))
        for manifest, name in ((lineage.decision, "decision.json"), (lineage.evaluation, "evaluation.json")):
            attempt.write_bytes(name, artifacts.read_named(manifest, name))
        for name, data in dossier.gather(record, lineage, reports, approval, config.source_licences):
            attempt.write_bytes(name, data)
        attempt.write_bytes(releases.RECORD, digests.canonical_json(record))
        attempt.write_bytes("README.md", card.render(record, lineage).encode())
        attempt.commit(sign=lambda manifest: signing.sign_manifest(manifest, settings.signing_key))
    return releases.read_release(uri, settings.trusted_key)


def _begin(uri: str, lineage: Lineage, approval: Manifest | None, config: PublishConfig, settings: Settings) -> Attempt:
    """An attempt that has nothing to do if the release stands there and verifies; a damaged one is written anew."""

    def begin() -> Attempt:
        inputs, day = [lineage.decision, *([approval] if approval else [])], lineage.as_of
        # Tried or not, the release is the same one.
        places = ["canary"]
        return artifacts.begin(uri, stage="publish", version=2, config=config, inputs=inputs, day=day, places=places)

    attempt = begin()
    if attempt.committed is None:
        return attempt
    try:
        releases.read_release(uri, settings.trusted_key)
    except (ArtifactError, SignatureError) as error:
        log.warning("release.rewritten", uri=uri, reason=str(error))
        with artifacts.recomputing():
            return begin()
    return attempt


def _read_json(manifest: Manifest, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(artifacts.read_named(manifest, name))
    return content
