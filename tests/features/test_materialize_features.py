"""The feature store gives back, offline and online, exactly the rows that a snapshot put in."""

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llmops import artifacts
from llmops.errors import ConfigurationError, CorruptArtifactError, MissingArtifactError
from llmops.features.config import MaterializeConfig
from llmops.features.online import read_online, show_features
from llmops.features.stage import materialize_features
from llmops.foundation.config import ImportModelConfig
from llmops.foundation.stage import import_model
from llmops.manifest import Manifest
from llmops.settings import Settings
from llmops.tokenization.config import TokenizeConfig
from llmops.tokenization.stage import tokenize_examples
from tests.features.conftest import REPO, ApplyFeatures
from tests.tokenization.examples import DAY, commit_split, example

NEXT_DAY = DAY + timedelta(days=1)
ROWS = 40  # more than the 16 from which numpy's default sort stops keeping the order of equal elements


@pytest.fixture
def settings(apply_features: ApplyFeatures, tmp_path: Path) -> Settings:
    """A lake with a feature store and nothing in it."""
    return apply_features(tmp_path / "lake")


def _examples(count: int = ROWS, part: str = "train") -> list[dict[str, Any]]:
    return [
        example(f"row-{number:02}", f"Where is parcel {number}?", "On its way.", part=part) for number in range(count)
    ]


def _tokens(settings: Settings, model: Manifest, rows: list[dict[str, Any]], day: Any = DAY) -> Manifest:
    split = commit_split(settings.lake, rows, day=day)
    return tokenize_examples(split.uri, model.uri, f"{settings.lake}/tokens/as_of={day}", config=TokenizeConfig())


def _materialize(settings: Settings, tokens: Manifest, name: str = "features") -> Manifest:
    return materialize_features(tokens.uri, f"{settings.lake}/{name}", config=MaterializeConfig(), settings=settings)


def _log_files(settings: Settings) -> dict[str, bytes]:
    folder = Path(settings.lake, "feature_store", "llm_training_features")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_offline_and_online_features_equal_the_tokens(settings: Settings, tiny_model: Manifest) -> None:
    tokens = _tokens(settings, tiny_model, _examples())

    features = _materialize(settings, tokens)

    rows = artifacts.read_table(tokens).to_pylist()
    assert artifacts.read_table(features).to_pylist() == rows
    assert features.day == DAY
    assert features.counts["appended"] == features.counts["written_online"] == ROWS
    assert features.counts["compared_online"] == 20
    for row in rows:
        online = read_online(settings, row["row_id"], row["tokenizer"])
        assert online is not None
        assert online["token_ids"] == row["input_ids"]
        assert online["attention_mask"] == row["attention_mask"]
        assert (
            online["prompt_tokens"],
            online["part"],
            online["source"],
            online["template"],
            online["event_time"],
        ) == (
            row["prompt_tokens"],
            row["part"],
            row["source"],
            row["template"],
            row["event_time"],
        )


def test_a_rerun_does_nothing_and_a_run_after_a_kill_appends_nothing(settings: Settings, tiny_model: Manifest) -> None:
    tokens = _tokens(settings, tiny_model, _examples())
    first = _materialize(settings, tokens)
    log = _log_files(settings)
    # As a run leaves it that is killed while writing the log.
    Path(settings.lake, "feature_store", "_appending-0123.parquet").write_bytes(b"half a file")

    again = _materialize(settings, tokens)
    # As a run finds it whose predecessor was killed between log and commit.
    elsewhere = _materialize(settings, tokens, "features-of-the-next-attempt")

    assert again == first
    assert elsewhere.digest == first.digest
    assert elsewhere.counts["appended"] == 0
    assert _log_files(settings) == log


def test_digests_are_equal_in_an_empty_lake(
    apply_features: ApplyFeatures, tiny_model: Manifest, tmp_path: Path
) -> None:
    digests = []
    for lake, rows in (("one", _examples()), ("other", _examples()[::-1])):
        settings = apply_features(tmp_path / lake)
        digests.append(_materialize(settings, _tokens(settings, tiny_model, rows)).digest)

    assert digests[0] == digests[1]


def test_a_later_snapshot_appends_only_what_is_new(settings: Settings, tiny_model: Manifest) -> None:
    rows = [*_examples(), example("one-more", "New?", "Yes.", day=NEXT_DAY)]
    _materialize(settings, _tokens(settings, tiny_model, rows[:-1]), "features/1")

    later = _materialize(settings, _tokens(settings, tiny_model, rows, NEXT_DAY), "features/2")

    assert later.counts["appended"] == 1
    assert later.counts["kept"] == ROWS + 1


def test_an_older_snapshot_comes_back_as_it_was(settings: Settings, tiny_model: Manifest) -> None:
    old, corrected = _examples(), _examples()
    corrected[3] = example("row-03", "Where is parcel 3?", "It was lost, a new one is on its way.", day=NEXT_DAY)
    old_tokens = _tokens(settings, tiny_model, old)
    new_tokens = _tokens(settings, tiny_model, corrected, NEXT_DAY)
    _materialize(settings, old_tokens, "features/1")
    _materialize(settings, new_tokens, "features/2")

    back = _materialize(settings, old_tokens, "features/3")

    assert artifacts.read_table(back).equals(artifacts.read_table(old_tokens))
    assert (back.counts["appended"], back.counts["newer_online"]) == (0, 1)
    changed = artifacts.read_table(new_tokens).to_pylist()[3]
    online = read_online(settings, "row-03", changed["tokenizer"])
    assert online is not None
    assert online["token_ids"] == changed["input_ids"], "an online write never replaces a newer event time"


def test_rows_that_changed_while_their_event_time_did_not_are_told_apart(
    settings: Settings, tiny_model: Manifest
) -> None:
    trained_on = _tokens(settings, tiny_model, _examples())
    moved_rows = [*_examples(1), *_examples(part="test")[1:]]
    moved = _tokens(settings, tiny_model, moved_rows, NEXT_DAY)

    for tokens in (trained_on, moved, trained_on, moved):
        features = _materialize(settings, tokens, f"features/{tokens.day}")
        assert artifacts.read_table(features).equals(artifacts.read_table(tokens))
    log = pa.concat_tables(pq.read_table(pa.BufferReader(data)) for data in _log_files(settings).values())

    assert log.num_rows == 2 * ROWS - 1
    assert len(set(zip(log["example_id"].to_pylist(), log["event_timestamp"].to_pylist(), strict=True))) == log.num_rows


def test_ids_of_two_tokenizers_do_not_mix(
    settings: Settings, tiny_model: Manifest, tiny_model_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_model_folder, tmp_path / "model"))
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|im_start|>", "<|im_start|>to "))
    config = ImportModelConfig(base_model=str(folder), licence="MIT")
    other_model = import_model(f"{settings.lake}/models/other", config=config)
    rows = _examples(3)
    manifests = []
    for model in (tiny_model, other_model):
        tokens = _tokens(settings, model, rows)
        manifests.append((artifacts.read_table(tokens), _materialize(settings, tokens, f"features/{model.digest}")))

    for tokens_table, features in manifests:
        assert artifacts.read_table(features).equals(tokens_table)
        for row in tokens_table.to_pylist():
            online = read_online(settings, row["row_id"], row["tokenizer"])
            assert online is not None
            assert online["token_ids"] == row["input_ids"]
    assert manifests[0][0]["input_ids"] != manifests[1][0]["input_ids"]


def test_values_that_the_store_changed_are_never_trained_on(settings: Settings, tiny_model: Manifest) -> None:
    tokens = _tokens(settings, tiny_model, _examples())
    _materialize(settings, tokens)
    (path,) = Path(settings.lake, "feature_store", "llm_training_features").iterdir()
    log = pq.read_table(path)
    ids = log["token_ids"].to_pylist()
    ids[5][0] += 1
    column = log.schema.get_field_index("token_ids")
    pq.write_table(log.set_column(column, log.field(column), pa.array(ids, log.field(column).type)), path)

    with pytest.raises(CorruptArtifactError, match=r"1 rows come back offline .* materialize --force"):
        _materialize(settings, tokens, "elsewhere")
    assert artifacts.find(f"{settings.lake}/elsewhere") is None


def test_show_features_reads_online_and_says_when_there_is_nothing(settings: Settings, tiny_model: Manifest) -> None:
    tokens = _tokens(settings, tiny_model, _examples(1))
    _materialize(settings, tokens)
    (row,) = artifacts.read_table(tokens).to_pylist()

    shown = show_features("row-00", settings=settings)

    assert shown.splitlines()[-1].split() == ["token_ids", *map(str, row["input_ids"])]
    assert row["tokenizer"] in shown
    with pytest.raises(MissingArtifactError, match=r"no such example .* run `llmops materialize` first"):
        show_features("nobody", settings=settings)
    with pytest.raises(MissingArtifactError, match="no online features with tokenizer other; leave --tokenizer out"):
        show_features("row-00", tokenizer="other", settings=settings)


def test_without_a_feature_store_the_remedy_is_named_and_nothing_is_made(tiny_model: Manifest, tmp_path: Path) -> None:
    settings = Settings(lake=str(tmp_path / "lake"), feature_repo=REPO)
    tokens = _tokens(settings, tiny_model, _examples(1))

    with pytest.raises(ConfigurationError, match=r"no feature store yet; run `LLMOPS_LAKE=.* apply --skip-source"):
        _materialize(settings, tokens)
    assert not Path(settings.lake, "feature_store").exists()


def test_another_version_of_the_view_is_refused_with_the_remedy(settings: Settings, tiny_model: Manifest) -> None:
    from feast import FeatureStore  # noqa: PLC0415 - slow to import

    tokens = _tokens(settings, tiny_model, _examples(1))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LLMOPS_LAKE", settings.lake)
        store = FeatureStore(repo_path=str(REPO))
    view = store.get_feature_view("llm_training_features")
    store.apply(view.__class__(name=view.name, source=view.batch_source, entities=[], schema=view.features[:2]))

    with pytest.raises(ConfigurationError, match=r"another version .* is applied; run"):
        _materialize(settings, tokens)
    store.delete_feature_view(view.name)
    with pytest.raises(ConfigurationError, match=r"is not applied; run"):
        _materialize(settings, tokens)


def test_the_documented_command_applies_the_view(tiny_model: Manifest, tmp_path: Path) -> None:
    lake = tmp_path / "lake of its own"

    run = subprocess.run(
        [Path(sys.executable).with_name("feast"), "--chdir", "feature_repo", "apply", "--skip-source-validation"],
        cwd=REPO.parent,
        env=os.environ | {"LLMOPS_LAKE": str(lake)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert "Created feature view llm_training_features" in run.stdout
    settings = Settings(lake=str(lake), feature_repo=REPO)
    assert _materialize(settings, _tokens(settings, tiny_model, _examples(1))).counts["kept"] == 1
