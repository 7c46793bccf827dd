"""`llmops approve`: what a person says to a decision of the gate, recorded, signed and required by `llmops publish`.

Airflow asks (the task `ask` of llmops_pipeline) and runs this command with the answer; by hand it does the same for
whoever may use the signing key. The person is the one whom Airflow says to have answered, or whom the shell's user
names; the audit log says under which account it was recorded.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import structlog
from cyclopts import Parameter

from llmops import artifacts, audit, digests, signing
from llmops.config import StageConfig
from llmops.errors import ConfigurationError, Refused
from llmops.manifest import Manifest
from llmops.settings import Settings

APPROVE, REJECT = "approve", "reject"
_LONGEST_NAME, _LONGEST_NOTE = 200, 2_000
log = structlog.get_logger()


def approve_candidate(
    decision: str,
    target: str,
    *,
    choice: Literal["approve", "reject"],
    by: str,
    note: str = "",
    at: datetime | None = None,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Write approval.json: who answered what and when, about which decision; signed, in `target`.

    A rejection is recorded likewise and then raises Refused, so that nothing after it runs. Raises Refused as well
    where the gate itself did not approve, SignatureError or CorruptArtifactError for a decision that was altered.

    Parameters
    ----------
    decision
        Folder of the decision, such as LAKE/decisions/as_of=DAY.
    target
        Folder of the approval, such as LAKE/approvals/as_of=DAY.
    choice
        What the person says.
    by
        Who it is.
    note
        Why.
    at
        When they said it (UTC); now, if not given.
    """
    with audit.recorded(choice, decision, settings) as outcome:
        outcome.detail = f"by {by}"
        answer = _answer(choice, by, note, at)
        decided = _read_decision(decision, settings)
        attempt = artifacts.begin(
            target,
            stage="approve",
            version=1,
            config=StageConfig(),
            inputs=[decided],
            day=decided.day,
            depends_on={"answer": digests.of_json(answer)},
        )
        made = attempt.committed
        if made is None:
            attempt.write_bytes("approval.json", digests.canonical_json({**answer, "decision": decided.digest}))
            made = attempt.commit(sign=lambda manifest: signing.sign_manifest(manifest, settings.signing_key))
        log.info("candidate.answered", choice=choice, decision=decided.digest)
    if choice == REJECT:
        raise Refused(f"{by} rejected the candidate" + (f": {note}" if note else ""))
    return made


def describe_decision(decision: str, *, settings: Annotated[Settings, Parameter(parse=False)]) -> str:
    """One line of JSON with `subject` and `body` (Markdown) for whoever is to approve.

    Raises Refused where the gate did not approve: nobody needs to be asked.
    """
    decided = _read_decision(decision, settings)
    content = _content(decided)
    lines = ["The gate approved a candidate for publication. Its reasons:", ""]
    lines += [f"- {_plain(reason)}" for reason in content["reasons"]]
    lines += ["", "It rests on:", ""]
    for item in artifacts.ancestors(decided, without=["publish"]):
        reports = [name for name in artifacts.named_files(item) if name.endswith((".json", ".html"))]
        files = f", with {', '.join(f'`{name}`' for name in reports)}" if reports else ""
        lines.append(f"- {item.stage}: `{item.uri}`, digest `{item.digest[:12]}`{files}")
    lines += ["", f"Decision `{decided.digest[:12]}` of {decided.created_at:%Y-%m-%d %H:%M} UTC, in `{decided.uri}`."]
    subject = f"Publish the candidate of {decided.day or decided.uri}?"
    return json.dumps({"subject": subject, "body": "\n".join(lines)})


def _answer(choice: str, by: str, note: str, at: datetime | None) -> dict[str, Any]:
    if not by.strip() or len(by) > _LONGEST_NAME or not by.isprintable():
        raise ConfigurationError(f"--by {by[:40]!r}: name who answered, in at most {_LONGEST_NAME} characters")
    if len(note) > _LONGEST_NOTE:
        raise ConfigurationError(f"--note: {len(note)} characters; at most {_LONGEST_NOTE} are kept")
    moment, now = at or datetime.now(UTC), datetime.now(UTC)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > now:
        raise ConfigurationError(f"--at {moment.isoformat()}: lies in the future")
    return {"choice": choice, "by": by.strip(), "note": note, "at": moment.isoformat()}


def _read_decision(uri: str, settings: Settings) -> Manifest:
    """An approved decision that nobody altered."""
    decided = artifacts.read(uri, stage="gate")
    signing.verify_manifest(decided, settings.trusted_key)
    content = _content(decided)
    if not content["approved"]:
        raise Refused(f"the gate did not approve the candidate: {'; '.join(content['reasons'])}")
    return decided


def _content(decided: Manifest) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(artifacts.read_named(decided, "decision.json"))
    return content


def _plain(text: str) -> str:
    """The text without what Markdown would take for markup: reasons may quote names of data."""
    return "".join(f"\\{each}" if each in "\\`*_[]<>()!#|" else each for each in text)
