"""Values that are planted in raw data are in nothing that is made of it: tables, features, reports, registry, logs.

Names and addresses are no part of this: they are found by a model, whose recall is measured, not promised.
"""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.planted import planted
from llmops import cli
from llmops.guards import views
from llmops.manifest import Manifest
from llmops.settings import Settings
from scripts.prepare import apply_features
from tests.seeded_values import write_tickets
from tests.shop_recipe import MODEL_PART
from tests.test_pipeline import COMMANDS

_SOURCE = '[[collect.sources]]\nname = "tickets"\nkind = "json"\npath = "*.jsonl"\nquestion = "{q}"\nanswer = "{a}"\n'
_DAY = "2026-11-02"


def run_pipeline(home: Path, model: Path, values: list[tuple[str, str, str]], last: str) -> dict[str, Manifest]:
    """The pipeline over tickets with the values, up to the command `last`."""
    write_tickets(home / "tickets", values, seed=1)
    recipe = home / "recipe.toml"
    recipe.write_text(_SOURCE + MODEL_PART.format(model=model))
    cli.app.meta(("create-keys",), exit_on_error=False, print_error=False, result_action="return_value")
    settings = Settings()
    apply_features(Path(settings.lake))
    lines = COMMANDS.format(lake=settings.lake, day=_DAY).replace("examples/shop", str(home / "tickets")).split("\n")
    made = {}
    for line in lines[1:-1]:
        name, *words = line.split()
        if name == "materialize-customers":
            continue
        tokens = ("--recipe", str(recipe), name, *words)
        made[name] = cli.app.meta(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        if name == last:
            break
    return made


def left_in(home: Path, values: list[str]) -> dict[str, list[str]]:
    """Values by the files that hold them, but for the raw data and what it was collected from."""
    raw = (home / "tickets", home / "lake" / "raw")
    found = {}
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        if any(path.is_relative_to(folder) for folder in raw) or path.name == "recipe.toml":
            continue
        content = (
            str(pq.read_table(path).to_pydict()) if path.suffix == ".parquet" else path.read_bytes().decode("latin1")
        )
        if held := [value for value in values if value in content]:
            found[str(path.relative_to(home))] = held
    return found


@pytest.mark.parametrize(
    ("count", "last"),
    [
        (400, "materialize"),
        pytest.param(10_000, "publish", marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
    ],
)
def test_no_seeded_value_is_left_in_anything_that_is_made(
    count: int,
    last: str,
    tmp_path: Path,
    tiny_model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LLMOPS_HOME", str(tmp_path))
    monkeypatch.setenv("LLMOPS_ENVIRONMENT", "development")
    values = planted(count, seed=20261102)

    made = run_pipeline(tmp_path, tiny_model_folder, values, last)

    forms = [form for _, value, _ in values for form in {value, views.normalised(value).text}]
    raw = next((tmp_path / "lake" / "raw").rglob("*.parquet"))
    collected = str(pq.read_table(raw, columns=["question", "answer"]).to_pydict())
    assert sum(repr(value)[1:-1] in collected for _, value, _ in values) == count
    assert made["materialize"].counts["kept"] > count / 40
    assert left_in(tmp_path, forms) == {}
    out, err = capfd.readouterr()
    assert [form for form in forms if form in out + err] == []
