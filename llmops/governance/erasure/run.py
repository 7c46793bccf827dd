"""One erasure from the suppression list to the certificate. Killed anywhere and run again, it ends the same."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType
from typing import cast

import fsspec
import structlog

from llmops.errors import ErasureIncompleteError
from llmops.governance.erasure import certificate as certificates
from llmops.governance.erasure import journal
from llmops.governance.erasure.certificate import Certificate, StoreReport
from llmops.governance.erasure.journal import Started
from llmops.governance.erasure.models import find_models
from llmops.governance.erasure.person import Person
from llmops.governance.erasure.places import Found, Places, Store
from llmops.governance.erasure.search import Searched, search
from llmops.governance.erasure.stores import feature_log, feature_online, lake, leftovers, logs, mlflow, spool
from llmops.settings import Settings
from llmops.suppression import Entry

_MODULES: Mapping[str, ModuleType] = {
    "feature_online": feature_online,
    "feature_log": feature_log,
    "spool": spool,
    "logs": logs,
    "mlflow": mlflow,
    "leftovers": leftovers,
    "lake": lake,
}
STORES = cast("Mapping[str, Store]", _MODULES)
"""In the order of erasing. The lake is last: by its raw rows a run that was killed finds what is left elsewhere."""
log = structlog.get_logger()
Everything = dict[str, list[Found]]


def refuse_unsupported(settings: Settings) -> None:
    """Raise ConfigurationError for a store that cannot be erased from, before anything is changed."""
    feature_online.path_of(settings)
    mlflow.files(settings)


def numbered(places: Places, entry: Entry) -> Places:
    """The places for the erasure of this number."""
    return replace(places, sequence=entry.sequence)


def find_all(person: Person, places: Places) -> Everything:
    """What every store holds. The lake is asked first, because its rows tell which others were made of them."""
    found = {"lake": list(lake.find(person, places)), "leftovers": list(leftovers.find(person, places))}
    found["lake"] = list(lake.find(person, places))  # leftovers may have told of more row ids
    return {name: found[name] if name in found else list(store.find(person, places)) for name, store in STORES.items()}


def erase_all(person: Person, places: Places, entry: Entry, reason: str) -> str:
    """Erase the person from every store, search all of them, and leave a certificate; its URI.

    Raises ErasureIncompleteError when anything is left. Where nothing was left to erase, the certificate of before
    stands.
    """
    found = find_all(person, places)
    uri = certificates.uri_of(places.settings.lake, entry.sequence)
    files, path = fsspec.url_to_fs(uri)
    counts = {name: sum(item.items for item in items) for name, items in found.items()}
    if not any(counts.values()) and files.exists(path):
        report_left(find_all(person, places), search(person, places))
        certificates.read(uri, places.settings)
        journal.end(places)
        return uri
    started = journal.begin(places, counts, find_models(person, places.settings.lake, entry.sequence))
    for name, store in STORES.items():
        store.erase(person, places)
        log.info("store.erased", store=name, found=started.found[name])
    left, searched = find_all(person, places), search(person, places)
    report_left(left, searched)
    uri = certificates.write(_certify(person, places, entry, reason, started, searched), places.settings)
    journal.end(places)
    return uri


def report_left(left: Everything, searched: Searched) -> None:
    """Raise ErasureIncompleteError when a store or the search of all files found something, naming the places."""
    places = [f"{name} {item.place} ({item.items})" for name, items in left.items() for item in items]
    places += [f"bytes of {item.place}" for item in searched.found]
    if places:
        shown = "; ".join(places[:20]) + ("; …" if len(places) > 20 else "")
        raise ErasureIncompleteError(f"found in {len(places)} places: {shown}")


def _certify(
    person: Person, places: Places, entry: Entry, reason: str, started: Started, searched: Searched
) -> Certificate:
    return Certificate(
        sequence=entry.sequence,
        subject=entry.subject,
        reason=reason,
        started_at=started.at,
        completed_at=datetime.now(UTC),
        stores={name: StoreReport(found=count, left=0) for name, count in started.found.items()},
        artifacts=lake.rows_erased(places),
        models=started.models,
        searched_files=searched.files,
        searched_bytes=searched.bytes,
        names_searched=len(person.names) + 1 - len(person.unsearchable),
        names_not_searched=len(person.unsearchable),
    )
