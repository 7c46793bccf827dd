"""What was decided about challengers: LAKE/canaries/SEQUENCE-VERSION.json, one file a trial, with every number.

SEQUENCE is that of the challenger's pointer when it was decided. The files are for people, and keep a loser from
being tried again by itself; what is served they do not say.
"""

import json
from collections.abc import Iterator
from typing import Any

import fsspec

from llmops import artifacts, storage

Decision = dict[str, Any]
_FOLDER = "canaries"


def keep(lake: str, decision: Decision) -> str:
    """Write a decision, in place of one about the same trial that was cut short before it took effect; its URI."""
    uri = artifacts.join(lake, _FOLDER, _name(decision["challenger"]["sequence"], decision["challenger"]["version"]))
    files, path = fsspec.url_to_fs(uri)
    storage.put(files, path, json.dumps(decision, indent=2).encode())
    return uri


def is_kept(lake: str, sequence: int, version: str) -> bool:
    """Whether that challenger has been decided on."""
    files, path = fsspec.url_to_fs(artifacts.join(lake, _FOLDER, _name(sequence, version)))
    return bool(files.exists(path))


def kept(lake: str) -> Iterator[Decision]:
    """All decisions, the latest first."""
    files, folder = fsspec.url_to_fs(artifacts.join(lake, _FOLDER))
    for path in sorted(files.glob(f"{folder}/??????-*.json"), reverse=True):
        yield json.loads(files.cat_file(path))


def _name(sequence: int, version: str) -> str:
    return f"{sequence:06}-{version}.json"
