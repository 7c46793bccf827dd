"""What readers, later runs and signatures see of an artifact that something was erased from."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from llmops import artifacts, rewriting, schemas, signing
from llmops.config import StageConfig
from llmops.errors import ErasedMeanwhileError, MissingArtifactError, SignatureError
from llmops.manifest import Manifest
from llmops.settings import Settings

SCHEMA = pa.schema([pa.field("row_id", pa.string()), pa.field("parents", schemas.STRINGS)])


def commit(target: Path, ids: Sequence[str], inputs: Sequence[Manifest] = (), stage: str = "a") -> Manifest:
    """A table with these rows, made of the rows with the same ids."""
    attempt = artifacts.begin(str(target), stage=stage, version=1, config=StageConfig(), inputs=inputs)
    return attempt.committed or fill(attempt, ids).commit()


def fill(attempt: artifacts.Attempt, ids: Sequence[str]) -> artifacts.Attempt:
    rows = [{"row_id": row_id, "parents": [row_id]} for row_id in ids]
    return attempt.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), SCHEMA)


def take_out(manifest: Manifest, row_id: str, sequence: int = 1) -> Manifest:
    (file,) = manifest.files
    data = artifacts.read_file(manifest, file.name)
    kept, removed = rewriting.without_rows(data, lambda row: row["row_id"] == row_id)
    changed = {file.name: kept} if removed else {}
    return rewriting.rewrite(manifest, changed, sequence=sequence, rows=removed, sign=lambda _: "signed")


def ids_of(manifest: Manifest) -> list[str]:
    found: list[str] = artifacts.read_table(manifest)["row_id"].to_pylist()
    return found


def test_the_artifact_keeps_its_identity_and_says_what_it_lost(tmp_path: Path) -> None:
    made = commit(tmp_path / "a", ["x", "y", "z"])

    take_out(made, "y")

    found = artifacts.read(str(tmp_path / "a"), "a")
    assert ids_of(found) == ["x", "z"]
    assert (found.digest, found.cache_key) == (made.digest, made.cache_key)
    assert found.counts["kept"] == 2
    assert [(item.sequence, item.rows) for item in found.erasures] == [(1, 1)]
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"_manifest.json", found.files[0].name.split("/")[0]}


def test_a_reader_that_began_before_the_erasure_goes_on_after_it(tmp_path: Path) -> None:
    made = commit(tmp_path / "a", ["x", "y", "z"])

    take_out(made, "y")

    assert ids_of(made) == ["x", "z"]
    assert artifacts.read_file(made, made.files[0].name)
    assert artifacts.local_folder(made).is_dir()


def test_a_file_that_is_lost_without_an_erasure_is_still_an_error(tmp_path: Path) -> None:
    made = take_out(commit(tmp_path / "a", ["x", "y"]), "y")
    (tmp_path / "a" / made.files[0].name).unlink()

    with pytest.raises(MissingArtifactError, match="is gone"):
        ids_of(made)


def test_what_was_made_of_it_is_made_again_unless_it_was_cleared_too(tmp_path: Path) -> None:
    first = commit(tmp_path / "a", ["x", "y"])
    cleared = commit(tmp_path / "b", ["x", "y"], [first], stage="b")
    marked = commit(tmp_path / "c", ["x"], [first], stage="c")
    untouched = commit(tmp_path / "d", ["x"], [first], stage="d")
    after = take_out(first, "y")
    take_out(cleared, "y")
    take_out(marked, "y")

    def is_done(folder: str) -> bool:
        attempt = artifacts.begin(str(tmp_path / folder), stage=folder, version=1, config=StageConfig(), inputs=[after])
        return attempt.committed is not None

    assert [is_done(folder) for folder in "bcd"] == [True, True, False]
    again = commit(tmp_path / "d", ["x"], [after], stage="d")
    assert is_done("d")
    assert again.digest == untouched.digest  # the same rows, made of the same input


def test_work_on_rows_that_are_erased_meanwhile_is_not_committed(tmp_path: Path) -> None:
    first = commit(tmp_path / "a", ["x", "y"])
    attempt = fill(artifacts.begin(f"{tmp_path}/b", stage="b", version=1, config=StageConfig(), inputs=[first]), "xy")

    take_out(first, "y")

    with pytest.raises(ErasedMeanwhileError, match="lost rows to an erasure"):
        attempt.commit()
    assert artifacts.find(f"{tmp_path}/b") is None


def test_a_second_pass_of_one_erasure_adds_to_its_tombstone(tmp_path: Path) -> None:
    made = commit(tmp_path / "a", ["w", "x", "y", "z"])

    made = take_out(take_out(take_out(made, "y"), "z"), "x", sequence=2)

    assert [(item.sequence, item.rows) for item in made.erasures] == [(1, 2), (2, 1)]


def test_files_that_are_read_as_one_folder_move_together(tmp_path: Path) -> None:
    attempt = artifacts.begin(f"{tmp_path}/m", stage="m", version=1, config=StageConfig(), day=date(2026, 11, 2))
    made = attempt.write_bytes("weights.bin", b"\x00\x01").write_bytes("card.md", b"about Kari").commit()

    rewriting.rewrite(made, {made.names("card.md")[0]: b"about"}, sequence=1, rows=1, sign=lambda _: "signed")

    folder = artifacts.local_folder(artifacts.read(f"{tmp_path}/m", "m"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "weights.bin": b"\x00\x01",
        "card.md": b"about",
    }


def test_a_manifest_without_erasures_is_signed_as_before_there_were_any(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    signing.create_keys(settings=settings)
    made = commit(tmp_path / "a", ["x"], [commit(tmp_path / "b", ["x"], stage="b")])
    text = json.loads((tmp_path / "a/_manifest.json").read_text())

    assert not {"erasures", "suppressed_until"} & {*text, *text["inputs"][0]}
    lost = take_out(made, "x")
    signed = lost.model_copy(update={"signature": signing.sign_manifest(lost, settings.signing_key)})
    signing.verify_manifest(signed, settings.trusted_key)
    forged = signed.model_copy(update={"erasures": ()})
    with pytest.raises(SignatureError, match="does not verify"):
        signing.verify_manifest(forged, settings.trusted_key)
