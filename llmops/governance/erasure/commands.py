"""`llmops erase` takes a person out of every store; `llmops erasure` looks at what was done."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import structlog
from cyclopts import App, Parameter

from llmops import audit, signing, suppression
from llmops.errors import ConfigurationError, Refused, SignatureError
from llmops.governance.erasure import certificate as certificates
from llmops.governance.erasure import run
from llmops.governance.erasure.lake_files import Lake
from llmops.governance.erasure.person import Person, identify
from llmops.governance.erasure.places import Places
from llmops.governance.erasure.search import search
from llmops.guards import pseudonyms
from llmops.publishing import releases
from llmops.settings import Settings

SettingsGiven = Annotated[Settings, Parameter(parse=False)]
Reason = Literal["request", "consent_withdrawn", "retention", "court_order"]
app = App(name="erasure", help="Certificates of erasures, and what they leave to do.")
log = structlog.get_logger()


def erase(
    *,
    subject: str,
    reason: Reason = "request",
    value: tuple[str, ...] = (),
    spool: Path | None = None,
    logs: tuple[str, ...] = (),
    search_only: Annotated[bool, Parameter(negative=())] = False,
    settings: SettingsGiven,
) -> str:
    """Erase a person from every store, have every store searched, and print where the certificate lies.

    The person goes on the suppression list first, so that no later run brings them back. Run it again after a failure:
    it goes on where it was. Stop runs of the pipeline before it, or let it take their turn (the DAG `erase_subject`).

    Parameters
    ----------
    subject
        The person's id as the sources give it, or a pseudonym of it (`llmops erasure pseudonym`).
    reason
        Why; it stands in the certificate.
    value
        More to look for, such as an e-mail address: rows of anybody that hold it are erased too. May be repeated.
    spool
        Where the service keeps interactions; `interactions` in LLMOPS_HOME if not given.
    logs
        Patterns of more log files. Those of the service and of this installation are always searched.
    search_only
        Erase nothing; say what is found where, and fail if anything is.
    """
    if not subject.strip():
        raise ConfigurationError("an empty subject; give the person's id as the sources have it")
    key = pseudonyms.read_key(settings.pseudonym_key)
    person = identify(subject, value, key)
    places = Places(
        settings=settings,
        spool=spool or settings.home / "interactions",
        logs=(*_log_patterns(settings), *logs),
        sequence=0,
        sign=partial(signing.sign_manifest, signing_key=settings.signing_key),
    )
    if search_only:
        return _search_only(person, places)
    run.refuse_unsupported(settings)
    with audit.recorded("erase", suppression.hash_of(person.code, key), settings) as outcome:
        entry = suppression.add(person.code, settings=settings, now=datetime.now(UTC))
        uri = run.erase_all(person, run.numbered(places, entry), entry, reason)
        outcome.detail = f"number {entry.sequence}, {reason}: {uri}"
    return uri


@app.command
def verify(certificate: str, *, settings: SettingsGiven) -> str:
    """Check a certificate: its signature, its place on the suppression list, and the tombstones it speaks of.

    Parameters
    ----------
    certificate
        Its file, LAKE/erasures/NNNNNN.json.
    """
    found = certificates.read(certificate, settings)
    listed = suppression.read_entries(settings).entries
    if found.sequence > len(listed) or listed[found.sequence - 1].subject != found.subject:
        raise SignatureError(f"{certificate}: number {found.sequence} of the suppression list is somebody else")
    lake = Lake(settings.lake)
    made = {lake.below(item.uri): item for item in lake.data_artifacts()}
    marked = [item for name in found.artifacts if (item := made.get(name)) and found.sequence in item.losses]
    for item in marked:
        signing.verify_manifest(item, settings.trusted_key)
    lines = {
        "erasure": f"{found.sequence}, {found.reason}, completed {found.completed_at:%Y-%m-%d %H:%M:%S} UTC",
        "taken out": ", ".join(f"{name} {report.found}" for name, report in found.stores.items()),
        "artifacts": f"{len(marked)} with a verified tombstone, {len(found.artifacts) - len(marked)} made anew since",
        "searched": f"{found.searched_files} files, {found.searched_bytes:,} bytes: nothing found",
        "models": ", ".join(found.models.releases) or "no release was trained on the person",
    }
    if found.models.untraceable:
        lines["untraceable"] = ", ".join(found.models.untraceable)
    return "\n".join(f"{name:<12}{value}" for name, value in lines.items())


@app.command
def due(*, settings: SettingsGiven) -> str:
    """Print the day whose model is to be trained again because the champion learnt from somebody who was erased.

    That is the queue of retrainings: it is empty as soon as another release is champion. Exit status 99 if it is.
    """
    champion = releases.read_champion(settings.lake, settings.trusted_key)
    if champion is None:
        raise Refused(f"{settings.lake}: no champion")
    numbers = suppression.certificate_numbers(settings.lake)
    found = [certificates.read(certificates.uri_of(settings.lake, number), settings) for number in numbers]
    learnt = [item.sequence for item in found if champion.record.version in _doubtful(item)]
    if not learnt:
        raise Refused(f"{champion.record.version} learnt from nobody who was erased")
    log.info("retraining.due", version=champion.record.version, erasures=learnt)
    return champion.record.as_of.isoformat()


@app.command
def pseudonym(subject: str, *, settings: SettingsGiven) -> str:
    """Print a pseudonym that names the person to `llmops erase`, for places that keep what they were given."""
    return pseudonyms.pseudonym(subject, "SUBJECT", pseudonyms.read_key(settings.pseudonym_key))


def _doubtful(found: certificates.Certificate) -> Sequence[str]:
    return (*found.models.releases, *found.models.untraceable)


def _search_only(person: Person, places: Places) -> str:
    run.report_left(run.find_all(person, places), search(person, places))
    return "nothing found"


def _log_patterns(settings: Settings) -> tuple[str, ...]:
    """The services' logs, those of every program of this installation, and those of Airflow's tasks."""
    return settings.service_logs, f"{settings.home}/run/*.log*", f"{settings.home}/airflow/logs/**/*"
