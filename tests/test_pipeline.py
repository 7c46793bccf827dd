"""The whole pipeline by its commands: the sample shop's raw files in, an answer over HTTP out, twice the same."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from llmops import artifacts, cli
from llmops.manifest import Manifest
from llmops.publishing.releases import read_champion
from llmops.settings import Settings
from scripts import service
from scripts.access import make_key
from scripts.loopback import free_port
from scripts.prepare import apply_features
from scripts.processes import Processes
from tests.shop_recipe import shop_recipe

DAY = "2026-11-02"
COMMANDS = """
collect examples/shop {lake}/raw/ds={day} --day {day}
redact {lake}/raw/ds={day} {lake}/redacted/ds={day}
clean {lake}/redacted/ds={day} {lake}/clean/ds={day}
annotate {lake}/clean/ds={day} {lake}/examples/ds={day}
materialize-customers {lake}/clean/ds={day} {lake}/examples/ds={day} {lake}/customers/ds={day}
split {lake}/examples {lake}/splits/as_of={day} --as-of {day}
import-model {lake}/models/tiny
tokenize {lake}/splits/as_of={day} {lake}/models/tiny {lake}/tokens/as_of={day}
materialize {lake}/tokens/as_of={day} {lake}/features/as_of={day}
tune {lake}/features/as_of={day} {lake}/models/tiny {lake}/tuning/as_of={day}
finetune {lake}/features/as_of={day} {lake}/models/tiny {lake}/tuning/as_of={day} {lake}/adapters/as_of={day}
evaluate {lake}/adapters/as_of={day} {lake}/features/as_of={day} {lake}/models/tiny {lake}/evaluations/as_of={day}
gate {lake}/evaluations/as_of={day} {lake}/decisions/as_of={day}
publish {lake}/decisions/as_of={day} {lake}/releases
"""


@dataclass(frozen=True)
class Made:
    """What one run of the pipeline left."""

    home: Path
    settings: Settings
    manifests: dict[str, Manifest]
    """The artifact of each command."""


@pytest.fixture(scope="module")
def recipe(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(shop_recipe(tiny_model_folder))
    return path


@pytest.fixture(scope="module")
def runs(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Made]]:
    """The pipeline in two empty homes."""
    with pytest.MonkeyPatch.context() as patch:
        yield [run_all(recipe, tmp_path_factory.mktemp("home"), patch) for _ in range(2)]


def run_all(recipe: Path, home: Path, patch: pytest.MonkeyPatch) -> Made:
    patch.setenv("LLMOPS_HOME", str(home))
    patch.setenv("LLMOPS_ENVIRONMENT", "development")  # elsewhere a person has to approve
    settings = Settings()
    run("create-keys")
    apply_features(Path(settings.lake))
    lines = COMMANDS.format(lake=settings.lake, day=DAY).split("\n")[1:-1]
    return Made(home, settings, {line.split()[0]: run("--recipe", str(recipe), *line.split()) for line in lines})


def run(*words: str) -> Manifest:
    """A command as the `llmops` script runs it, within this process: imports are paid for once."""
    result = cli.app.meta(words, exit_on_error=False, print_error=False, result_action="return_value")
    assert isinstance(result, Manifest | str)
    return result  # type: ignore[return-value] # a tool's text is of no interest here


def test_recomputed_into_an_empty_lake_every_digest_is_the_same(runs: list[Made]) -> None:
    first, second = ({name: made.digest for name, made in run.manifests.items()} for run in runs)

    assert len(first) == 14
    assert first == second


def test_every_row_is_accounted_for_from_source_to_training_set(runs: list[Made]) -> None:
    made = runs[0].manifests
    for before, after in zip(("collect", "redact", "clean"), ("redact", "clean", "annotate"), strict=True):
        given = set(ids(made[before]))
        parents = {parent for row in table(made[after])["parents"].to_pylist() for parent in row}
        aside = set(table(made[after], quarantine=True)["row_id"].to_pylist())
        assert parents | aside == given, after
        assert not parents & aside, after
    pairs = {row["row_id"] for row in table(made["split"]).to_pylist() if row["is_pair"]}
    assert set(ids(made["materialize"])) == set(ids(made["tokenize"])) == pairs


def test_no_planted_personal_data_is_left_in_what_is_trained_on(runs: list[Made]) -> None:
    planted = [item["value"] for item in json.loads(Path("tests/examples_planted.json").read_text())["personal_data"]]
    prompts = "\n".join(table(runs[0].manifests["annotate"])["prompt"].to_pylist())

    assert "<EMAIL>" in prompts
    assert [value for value in planted if value in prompts] == []


def test_the_champion_is_the_candidate_that_beat_the_untuned_model(runs: list[Made]) -> None:
    made = runs[0].manifests
    champion = read_champion(runs[0].settings.lake, runs[0].settings.trusted_key)

    assert champion is not None
    assert champion.release.digest == made["publish"].digest
    assert champion.record.adapter == made["finetune"].digest
    scores = made["evaluate"].metrics
    assert scores["candidate_perplexity"] < scores["untuned_perplexity"]
    assert made["finetune"].metrics["tokens"] <= 12_000


def test_the_service_answers_as_the_champion(runs: list[Made], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_HOME", str(runs[0].home))
    monkeypatch.setenv("LLMOPS_SERVING_ENGINE", "transformers")
    monkeypatch.setenv("LLMOPS_SERVING_CUSTOMER_CONTEXT", "false")
    processes = Processes(runs[0].home / "run")
    try:
        address = service.start(processes, free_port(), Path(runs[0].settings.lake))
        answer = service.ask(address, make_key(runs[0].home), "Is a gift card valid for two years?", "champion")
    finally:
        processes.stop()

    assert answer["model"] == service.read_champion(Path(runs[0].settings.lake))["version"]
    assert "gift card valid" not in answer["answer"]  # the prompt is no part of it
    assert 1 <= answer["usage"]["completion_tokens"] <= 8


def table(manifest: Manifest, *, quarantine: bool = False) -> pa.Table:
    return artifacts.read_table(manifest, quarantine=quarantine)


def ids(manifest: Manifest) -> list[str]:
    found: list[str] = table(manifest)["row_id"].to_pylist()
    return found
