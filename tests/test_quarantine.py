"""`llmops quarantine`: what was set aside can be looked at, row by row."""

import json
from datetime import date
from pathlib import Path

import pytest

from llmops import quarantine
from llmops.collection.config import CollectConfig
from llmops.collection.stage import collect_sources
from llmops.errors import ConfigurationError, MissingArtifactError
from llmops.manifest import Manifest
from llmops.settings import Settings


@pytest.fixture
def raw(tmp_path: Path) -> Manifest:
    """One good row, one broken record and one broken file."""
    (tmp_path / "a.jsonl").write_text('{"q": "Open on Sunday?", "a": "No."}\n{"q": "Op\n')
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\x00")
    sources = [{"name": "questions", "kind": "json", "path": "*.jsonl", "question": "{q}", "answer": "{a}"}]
    config = CollectConfig.model_validate({"sources": sources})
    settings, target = Settings(home=tmp_path), f"{tmp_path}/lake/ds=2026-11-02"
    return collect_sources(str(tmp_path), target, config=config, day=date(2026, 11, 2), settings=settings)


def test_list_gives_one_line_for_each_row_with_rule_and_origin(raw: Manifest) -> None:
    *rows, total = quarantine.list_rows(raw.uri).splitlines()

    assert total == f"2 rows set aside in {raw.uri}"
    assert [row.split()[1:3] for row in rows] == [["malformed_record", "a.jsonl"], ["unreadable_file", "b.jsonl"]]


def test_list_can_be_narrowed_to_a_rule(raw: Manifest) -> None:
    *rows, _ = quarantine.list_rows(raw.uri, rule="unreadable_file").splitlines()

    assert len(rows) == 1
    assert "not UTF-8" in rows[0]


def test_show_gives_the_record_by_the_beginning_of_its_id(raw: Manifest) -> None:
    row_id = quarantine.list_rows(raw.uri).split()[0]

    shown = json.loads(quarantine.show_row(raw.uri, row_id[:8]))

    assert shown["row_id"] == row_id
    assert shown["record"] == '{"q": "Op'
    assert shown["stage"] == "collect"


def test_what_is_not_there_is_told_with_the_remedy(raw: Manifest, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="see `llmops quarantine list`"):
        quarantine.show_row(raw.uri, "ffff")
    with pytest.raises(MissingArtifactError, match="pass the folder of an artifact"):
        quarantine.list_rows(f"{tmp_path}/nothing")
