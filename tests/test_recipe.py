"""Recipes are checked whole, and a wrong key is answered with the right one."""

from pathlib import Path

import pytest

from llmops import recipe
from llmops.errors import ConfigurationError

MINIMAL = """
[collect]
sources = [{kind = "csv", name = "orders", path = "orders.csv"}]
[import_model]
base_model = "models/tiny"
licence = "Apache-2.0"
"""


def load(tmp_path: Path, text: str) -> recipe.Recipe:
    """Load a recipe from its text."""
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return recipe.load(path)


@pytest.mark.parametrize("path", sorted(Path("recipes").glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_recipe_is_valid(path: Path) -> None:
    assert recipe.load(path).collect.sources


def test_missing_tables_mean_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL).finetune.lora.rank == 8


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("[finetune]\nlearning_rat = 1e-4", "finetune.learning_rat: unknown key; did you mean `learning_rate`?"),
        ("[finetune.lora]\nrnk = 4", "finetune.lora.rnk: unknown key; did you mean `rank`?"),
        ("[finetun]\nseed = 1", "finetun: unknown key; did you mean `finetune`?"),
        ("[finetune]\nlearning_rate = -1", "greater than 0"),
        ("[materialize_customers]\nsources = ['order']", "materialize_customers.sources: 'order' is no source of"),
        ("[split]\ntest_share = 0.7\nvalidation_share = 0.5", "leave nothing to train on"),
    ],
)
def test_wrong_key_or_value_is_named_with_the_remedy(tmp_path: Path, wrong: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, MINIMAL + wrong)

    assert message in str(caught.value)


def test_wrong_key_of_a_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="quesion: unknown key; did you mean `question`"):
        load(tmp_path, MINIMAL.replace('path = "orders.csv"', 'path = "orders.csv", quesion = "{q}"'))


def test_recipe_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(MINIMAL.replace("tiny", "Zürich").encode("latin-1"))

    with pytest.raises(ConfigurationError, match=r"latin\.toml: not UTF-8.*save it as UTF-8"):
        recipe.load(tmp_path / "latin.toml")
    with pytest.raises(ConfigurationError, match="a folder; give the TOML file"):
        recipe.load(tmp_path)


def test_password_in_a_wrong_value_is_not_repeated() -> None:
    item = {"msg": "Value error, no such database", "input": "postgresql://shop:s3cret@db/orders"}

    assert recipe.reason_of(item) == "no such database (got 'postgresql://***@db/orders')"


def test_unknown_recipe_lists_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"recipes/quickstart\.toml"):
        recipe.load(Path("recipes/quikstart.toml"))
