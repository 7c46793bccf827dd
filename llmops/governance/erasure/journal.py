"""What an erasure found before it began to erase, kept until its certificate stands: a rerun would find less."""

from datetime import UTC, datetime

import fsspec
from pydantic import BaseModel, ConfigDict

from llmops import artifacts, storage, suppression
from llmops.governance.erasure.certificate import ModelVersions
from llmops.governance.erasure.places import Places


class Started(BaseModel):
    """The content of a journal: counts only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    found: dict[str, int]
    models: ModelVersions


def begin(places: Places, found: dict[str, int], models: ModelVersions) -> Started:
    """Note what was found, together with what a run that was killed had noted: of each count the greater."""
    files, path = _place(places)
    started = Started(at=datetime.now(UTC), found=found, models=models)
    if files.exists(path):
        before = Started.model_validate_json(files.cat_file(path))
        started = Started(
            at=before.at,
            found={name: max(count, before.found.get(name, 0)) for name, count in found.items()},
            models=ModelVersions(
                adapters=_both(models.adapters, before.models.adapters),
                releases=_both(models.releases, before.models.releases),
                untraceable=_both(models.untraceable, before.models.untraceable),
            ),
        )
    storage.put(files, path, started.model_dump_json().encode())
    return started


def end(places: Places) -> None:
    """Remove the journal, if there is one."""
    files, path = _place(places)
    if files.exists(path):
        files.rm_file(path)


def _place(places: Places) -> tuple[fsspec.AbstractFileSystem, str]:
    uri = artifacts.join(places.settings.lake, suppression.FOLDER, f"journal-{places.sequence:06}.json")
    files, path = fsspec.url_to_fs(uri)
    return files, path


def _both(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*first, *second}))
