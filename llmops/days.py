"""The days of a daily artifact: folders `ds=YYYY-MM-DD` side by side."""

from datetime import date

import fsspec
import structlog

from llmops import artifacts
from llmops.errors import ConfigurationError

log = structlog.get_logger()


def day_uris(folder: str) -> list[str]:
    """URIs of the folders `folder/ds=…`, committed or not, oldest day first; empty where there is none.

    A folder that begins with `ds=` and goes on with anything but a date is no day: it is left out, with a warning.
    """
    files, root = fsspec.url_to_fs(folder)
    names = [path.rstrip("/").rsplit("/", 1)[-1] for path in files.ls(root, detail=False)] if files.exists(root) else []
    partitions = sorted(name for name in names if name.startswith("ds="))
    stray = [name for name in partitions if not is_day(name)]
    if stray:
        log.warning("folders.ignored", uri=folder, names=stray)
    return [artifacts.join(folder, name) for name in partitions if name not in stray]


def is_day(name: str) -> bool:
    """Whether a folder's name is `ds=` and a date."""
    try:
        return name == f"ds={artifacts.day_of(name)}"
    except ValueError:
        return False


def require_partition_of(day: date, target: str) -> None:
    """Raise ConfigurationError for a `ds=` of another day; a target without `ds=` may hold any."""
    name = target.rstrip("/").rsplit("/", 1)[-1]
    if name.startswith("ds=") and name != f"ds={day}":
        raise ConfigurationError(
            f"{target}: not the partition of {day}; pass --day with the day of the target, "
            f"or a target that ends in ds={day}"
        )
