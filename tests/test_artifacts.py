"""The contract that every stage rests on: commits are whole, digests depend on content, every row is accounted for."""

import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from llmops import artifacts, schemas
from llmops.config import StageConfig
from llmops.errors import CorruptArtifactError, MissingArtifactError, ParentageError
from llmops.manifest import Manifest

DAY = date(2026, 11, 2)


class Config(StageConfig):
    """A stage with one knob."""

    knob: int = 1


DEFAULT = Config()


def table(*ids: str, fetched_at: datetime | None = None, answer: str = "yes") -> pa.Table:
    """Raw rows with the given ids."""
    rows = [
        {
            "row_id": row_id,
            "parents": [],
            "source": "s",
            "kind": "json",
            "uri": "f",
            "position": 0,
            "event_time": datetime(2026, 11, 2, tzinfo=UTC),
            "keys": [],
            "answer": answer,
            "fetched_at": fetched_at,
        }
        for row_id in ids
    ]
    return pa.Table.from_pylist(rows, schema=schemas.RAW)


def commit(
    target: Path,
    rows: pa.Table,
    config: Config = DEFAULT,
    inputs: tuple[Manifest, ...] = (),
    *,
    stage: str = "collect",
    places: tuple[str, ...] = (),
) -> Manifest:
    """Commit rows under the name of a stage."""
    attempt = artifacts.begin(str(target), stage=stage, version=1, config=config, inputs=inputs, day=DAY, places=places)
    return attempt.committed or attempt.write_table(rows, schemas.RAW).commit()


def test_digest_ignores_row_order_place_and_clock(tmp_path: Path) -> None:
    one = commit(tmp_path / "one", table("a", "b", fetched_at=datetime(2026, 1, 1, tzinfo=UTC)))
    other = commit(tmp_path / "other", table("b", "a", fetched_at=datetime(2026, 2, 2, tzinfo=UTC)))

    assert one.digest == other.digest


def test_digest_sees_content_multiplicity_and_config(tmp_path: Path) -> None:
    digests = {
        commit(tmp_path / "1", table("a", "b")).digest,
        commit(tmp_path / "2", table("a", "b", answer="no")).digest,
        commit(tmp_path / "3", table("a", "b", "b")).digest,
        commit(tmp_path / "4", table("a", "b"), Config(knob=2)).digest,
    }

    assert len(digests) == 4


def test_equal_rerun_commits_nothing_and_force_recomputes(tmp_path: Path) -> None:
    first = commit(tmp_path / "a", table("a"))
    again = commit(tmp_path / "a", table("never written"))
    with artifacts.recomputing():
        forced = commit(tmp_path / "a", table("b"))

    assert again.files == first.files
    assert artifacts.read_table(forced)["row_id"].to_pylist() == ["b"]


def test_changed_config_is_computed_anew(tmp_path: Path) -> None:
    commit(tmp_path / "a", table("a"))

    changed = commit(tmp_path / "a", table("b"), Config(knob=2))

    assert artifacts.read_table(changed)["row_id"].to_pylist() == ["b"]


def test_field_that_says_where_does_not_count(tmp_path: Path) -> None:
    first = commit(tmp_path / "a", table("a"), places=("knob",))

    again = commit(tmp_path / "a", table("never written"), Config(knob=2), places=("knob",))
    elsewhere = commit(tmp_path / "b", table("a"), Config(knob=2), places=("knob",))

    assert again == first
    assert elsewhere.digest == first.digest
    assert elsewhere.config == {"knob": 2}


def test_artifact_that_lost_a_file_is_computed_anew(tmp_path: Path) -> None:
    manifest = commit(tmp_path / "a", table("a"), stage="redact")
    (tmp_path / "a" / manifest.files[0].name).unlink()

    again = commit(tmp_path / "a", table("a"), stage="redact")

    assert again.digest == manifest.digest
    assert artifacts.read_table(again)["row_id"].to_pylist() == ["a"]


def test_raw_data_that_lost_a_file_needs_to_be_collected_on_purpose(tmp_path: Path) -> None:
    manifest = commit(tmp_path / "a", table("a"))
    (tmp_path / "a" / manifest.files[0].name).unlink()

    with pytest.raises(MissingArtifactError, match="run `llmops collect` again with --recollect"):
        commit(tmp_path / "a", table("a"))
    with artifacts.recomputing():
        assert commit(tmp_path / "a", table("a")).digest == manifest.digest


def test_damaged_manifest_names_the_remedy_and_is_none_to_a_recomputation(tmp_path: Path) -> None:
    commit(tmp_path / "a", table("a"))
    (tmp_path / "a" / artifacts.MANIFEST).write_text("{")

    with pytest.raises(CorruptArtifactError, match="--recollect"):
        commit(tmp_path / "a", table("a"))
    with artifacts.recomputing():
        commit(tmp_path / "a", table("b"))
    assert artifacts.read(str(tmp_path / "a"), "collect").counts["kept"] == 1


def test_file_where_a_folder_is_expected_is_no_artifact(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b")

    with pytest.raises(MissingArtifactError, match="run `llmops redact` first"):
        artifacts.read(str(tmp_path / "rows.csv"), stage="redact")


def test_missing_input_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifactError, match="run `llmops redact` first"):
        artifacts.read(str(tmp_path), stage="redact")


def test_artifact_of_another_stage_is_refused(tmp_path: Path) -> None:
    commit(tmp_path / "a", table("a"))

    with pytest.raises(CorruptArtifactError, match=r"made by `collect`.*output of `llmops clean`"):
        artifacts.read(str(tmp_path / "a"), stage="clean")


@pytest.mark.parametrize(("stage", "flag"), [("collect", "--recollect"), ("redact", "--force")])
def test_flipped_byte_is_refused_with_the_remedy(tmp_path: Path, stage: str, flag: str) -> None:
    manifest = commit(tmp_path / "a", table("a"), stage=stage)
    path = tmp_path / "a" / manifest.files[0].name
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)

    with pytest.raises(
        CorruptArtifactError, match=f"differs from its manifest.*run `llmops {stage}` again with {flag}"
    ):
        artifacts.read_table(manifest)


def test_file_is_read_by_its_name_without_the_attempts_folder(tmp_path: Path) -> None:
    attempt = artifacts.begin(str(tmp_path / "a"), stage="gate", version=1, config=Config())
    manifest = attempt.write_bytes("reports/one.json", b"{}").commit()

    assert artifacts.read_named(manifest, "reports/one.json") == b"{}"
    assert artifacts.named_files(manifest) == {"reports/one.json": manifest.files[0].name}
    with pytest.raises(CorruptArtifactError, match=r"holds no two\.json; run `llmops gate` again with --force"):
        artifacts.read_named(manifest, "two.json")


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o007, 0o660)])
def test_files_have_the_mode_that_the_umask_leaves(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        commit(tmp_path / "a", table("a"))
    finally:
        os.umask(before)

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {path.stat().st_mode & 0o777 for path in files} == {mode}


def test_file_that_no_manifest_names_is_not_read(tmp_path: Path) -> None:
    manifest = commit(tmp_path / "a", table("a"))
    artifacts.begin(str(tmp_path / "a"), stage="collect", version=2, config=Config()).write_table(
        table("stray"), schemas.RAW
    )

    found = artifacts.find(str(tmp_path / "a"))

    assert found == manifest.model_copy(update={"uri": str(tmp_path / "a")})
    assert artifacts.read_table(manifest)["row_id"].to_pylist() == ["a"]


def test_killed_attempt_is_invisible(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from tests.test_artifacts import artifacts, schemas, table, Config, DAY
attempt = artifacts.begin(sys.argv[1], stage="collect", version=1, config=Config(), day=DAY)
attempt.write_table(table("a"), schemas.RAW)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a")], env={**os.environ, "PYTHONPATH": "."}, check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert any((tmp_path / "a").rglob("*.parquet"))
    assert artifacts.find(str(tmp_path / "a")) is None
    assert commit(tmp_path / "a", table("a")).digest == commit(tmp_path / "b", table("a")).digest


@pytest.mark.parametrize(
    ("parents", "aside", "problem"),
    [
        ({"x": ["a"]}, [], "1 input rows unaccounted for"),
        ({"x": ["a", "b", "c"]}, [], "1 parents that are not in the input"),
        ({"x": ["a", "b"], "y": []}, [], "1 rows without a parent"),
        ({"x": ["a"]}, [{"row_id": "b", "merged_into": "gone"}], "1 keepers that are not in the output"),
        ({"x": ["a", "b"]}, [{"row_id": "z"}], "1 rows set aside that are not in the input"),
    ],
)
def test_lost_and_invented_rows_are_not_committed(
    tmp_path: Path, parents: dict[str, list[str]], aside: list[dict[str, str]], problem: str
) -> None:
    rows = table(*parents).set_column(1, schemas.RAW.field("parents"), pa.array(parents.values(), schemas.STRINGS))
    attempt = artifacts.begin(str(tmp_path), stage="collect", version=1, config=Config())
    attempt.write_table(rows, schemas.RAW)
    attempt.set_aside([{"rule": "r", "reason": "because", "uri": "u", **row} for row in aside])

    with pytest.raises(ParentageError, match=problem):
        attempt.commit(input_ids=["a", "b"])
    assert artifacts.find(str(tmp_path)) is None


def test_rows_kept_merged_and_set_aside_are_committed_and_counted(tmp_path: Path) -> None:
    rows = table("x").set_column(1, schemas.RAW.field("parents"), pa.array([["a"]], schemas.STRINGS))
    attempt = artifacts.begin(str(tmp_path), stage="collect", version=1, config=Config())
    attempt.write_table(rows, schemas.RAW).set_aside(
        [
            {"row_id": "b", "rule": "exact_duplicate", "reason": "r", "uri": "u", "merged_into": "x"},
            {"row_id": "c", "rule": "empty", "reason": "r", "uri": "u"},
        ]
    )

    manifest = attempt.commit(input_ids=["a", "b", "c"])

    assert manifest.counts == {"kept": 1, "set_aside": 2, "exact_duplicate": 1, "empty": 1}


def test_ancestors_are_found_and_a_replaced_one_is_noticed(tmp_path: Path) -> None:
    first = commit(tmp_path / "first", table("a"))
    second = commit(tmp_path / "second", table("b"), inputs=(first,))
    third = commit(tmp_path / "third", table("c"), inputs=(second,))

    assert [item.uri for item in artifacts.ancestors(third)] == [second.uri, first.uri]

    with artifacts.recomputing():
        commit(tmp_path / "first", table("other"))
    with pytest.raises(MissingArtifactError, match="gone or replaced"):
        list(artifacts.ancestors(third))


def test_same_contract_holds_on_an_object_store() -> None:
    first = artifacts.begin("memory://lake/a", stage="collect", version=1, config=Config(), day=DAY)
    manifest = first.write_table(table("a"), schemas.RAW).commit()

    found = artifacts.read("memory://lake/a", stage="collect")

    assert found.digest == manifest.digest
    assert artifacts.read_table(found)["row_id"].to_pylist() == ["a"]
    assert artifacts.local_folder(found).joinpath("part-00000.parquet").is_file()
