"""What every store holds, read without the code under test."""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from llmops import artifacts
from llmops.digests import canonical_json
from llmops.manifest import Manifest
from llmops.settings import Settings
from tests.governance.erasure import shop
from tests.governance.erasure.shop import KARI


def needles(settings: Settings) -> tuple[str, str]:
    """What stands for Kari in any store: her address, and the digits in her pseudonyms."""
    return KARI, shop.pseudonym_of(KARI, settings).split(":")[1].rstrip(">")


def manifests(settings: Settings) -> list[Manifest]:
    """Every artifact of the lake."""
    folders = sorted(path.parent for path in Path(settings.lake).rglob("_manifest.json"))
    return [manifest for folder in folders if (manifest := artifacts.find(str(folder)))]


def kari_ids(settings: Settings) -> set[str]:
    """Ids of Kari's raw rows; a row keeps its id through all later stages."""
    raw = [manifest for manifest in manifests(settings) if manifest.stage == "collect"]
    rows = [row for manifest in raw for row in artifacts.read_table(manifest).to_pylist()]
    return {row["row_id"] for row in rows if row["subject_id"] == KARI}


class Reader:
    """Reads stores and leaves out what is Kari's: rows with her ids, or with one of the words that stand for her."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._ids, self._words = settings, kari_ids(settings), needles(settings)

    def others(self) -> dict[str, Counter[bytes]]:
        """By store and table, all rows that are not Kari's."""
        return {
            **{f"{uri} {part}": self._rows(rows) for uri, part, rows in self._tables()},
            "log": self._rows(self._logged()),
            "spool": Counter(line for line in self._lines() if self._words[1].encode() not in line),
            "online": Counter(row for row in self._online() if not self._is_about(row)),
        }

    def _tables(self) -> Collection[tuple[str, str, list[dict[str, Any]]]]:
        return [
            (manifest.uri, part, artifacts.read_table(manifest, quarantine=part == "aside").to_pylist())
            for manifest in manifests(self._settings)
            for part in ("kept", "aside")
        ]

    def _rows(self, rows: list[dict[str, Any]]) -> Counter[bytes]:
        return Counter(text for row in rows if not self._is_karis(text := canonical_json(row)))

    def _is_karis(self, text: bytes) -> bool:
        row = json.loads(text)
        ids = {row.get("row_id"), row.get("example_id"), *(row.get("parents") or [])}
        return bool(self._ids & ids) or any(word.encode() in text for word in self._words)

    def _logged(self) -> list[dict[str, Any]]:
        files = sorted(Path(self._settings.lake, "feature_store").glob("*/*.parquet"))
        return [row for file in files for row in pq.read_table(file).to_pylist()]

    def _lines(self) -> list[bytes]:
        files = sorted((self._settings.home / "interactions").rglob("*.jsonl"))
        return [line for file in files for line in file.read_bytes().splitlines()]

    def _online(self) -> list[bytes]:
        with closing(sqlite3.connect(f"{self._settings.lake}/feature_store/online.db")) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return [
                b"|".join([table.encode(), *(part if isinstance(part, bytes) else str(part).encode() for part in row)])
                for table in tables
                for row in connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - Feast's own names
            ]

    def _is_about(self, row: bytes) -> bool:
        return any(word.encode() in row for word in (*self._ids, *self._words))
