"""Artifacts in the lake: raw to training set, quarantine, interactions, batch answers, reports, releases."""

from collections.abc import Iterator

import structlog

from llmops import artifacts, rewriting
from llmops.governance.erasure import contents
from llmops.governance.erasure.lake_files import Lake, named_in
from llmops.governance.erasure.person import Person
from llmops.governance.erasure.places import Found, Places
from llmops.manifest import Manifest

_LAST = {"redact": 1, "collect": 2}
"""Stages whose rows tell whom they are about: they go last, so that a run that was killed finds the rest again."""
log = structlog.get_logger()


def find(person: Person, places: Places) -> list[Found]:
    """Rows, entries and names in files that a manifest names, by artifact.

    Read until no row id is new: a table may have been made anew since what was made of it.
    """
    lake = Lake(places.settings.lake)
    known = -1
    found: list[Found] = []
    while known < len(person.row_ids):
        known = len(person.row_ids)
        found = [item for manifest in lake.data_artifacts() if (item := _look(manifest, person, lake)).items]
    return found


def erase(person: Person, places: Places) -> None:
    """Rewrite every artifact that holds the person, what was made last first, then mark what was made of those."""
    lake = Lake(places.settings.lake)
    newest_first = lake.data_artifacts()[::-1]
    for manifest in sorted(newest_first, key=lambda item: _LAST.get(item.stage, 0)):
        _rewrite(manifest, person, lake, places)
    lake = Lake(places.settings.lake)
    lost = {manifest.digest for manifest in lake.data_artifacts() if places.sequence in manifest.losses}
    for manifest in lake.data_artifacts():
        if _needs_mark(manifest, lost, places.sequence):
            rewriting.rewrite(manifest, {}, sequence=places.sequence, rows=0, sign=places.sign)


def rows_erased(places: Places) -> dict[str, int]:
    """What this erasure took out of each artifact, by folder, as their tombstones say."""
    lake = Lake(places.settings.lake)
    rows = {
        lake.below(manifest.uri): tombstone.rows
        for manifest in lake.data_artifacts()
        for tombstone in manifest.erasures
        if tombstone.sequence == places.sequence and tombstone.rows
    }
    return dict(sorted(rows.items()))


def _look(manifest: Manifest, person: Person, lake: Lake) -> Found:
    items = 0
    for name in _own_files(manifest, lake):
        data = artifacts.read_file(manifest, name)
        if name.endswith(".parquet"):
            for row in contents.rows_of(data):
                if person.concerns(row):
                    person.learn(row)
                    items += 1
        else:
            items += contents.without(name, data, person)[1]
    return Found(lake.below(manifest.uri), items)


def _rewrite(manifest: Manifest, person: Person, lake: Lake, places: Places) -> None:
    changed: dict[str, bytes] = {}
    removed = 0
    for name in _own_files(manifest, lake):
        data = artifacts.read_file(manifest, name)
        kept, count = contents.without(name, data, person)
        if kept is not data:
            changed[name] = kept
            removed += count
    if changed:
        rewriting.rewrite(manifest, changed, sequence=places.sequence, rows=removed, sign=places.sign)
        log.info("artifact.erased", uri=manifest.uri, files=len(changed), items=removed)


def _own_files(manifest: Manifest, lake: Lake) -> Iterator[str]:
    """The files but for those that a release copied from its base model."""
    public = lake.public_files
    return (file.name for file in named_in(manifest) if file.sha256 not in public)


def _needs_mark(manifest: Manifest, lost: set[str], sequence: int) -> bool:
    """Whether a table was made of one that lost rows and has none of them: it stays, and its stage must know."""
    is_table = any(file.rows is not None for file in named_in(manifest))
    made_before = any(item.digest in lost and sequence not in item.erasures for item in manifest.inputs)
    return is_table and made_before and sequence not in {tombstone.sequence for tombstone in manifest.erasures}
