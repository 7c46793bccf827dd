"""A recipe's sources are checked before anything is collected."""

from pathlib import Path

import pytest

from llmops import recipe
from llmops.collection.config import CollectConfig
from llmops.errors import ConfigurationError

REST = '[import_model]\nbase_model = "x"\nlicence = "MIT"\n'


def load(folder: Path, *sources: str) -> CollectConfig:
    """The recipe with these sources, each given as the lines of its table."""
    file = folder / "recipe.toml"
    file.write_text("\n".join([*(f"[[collect.sources]]\n{source}\n" for source in sources), REST]))
    return recipe.load(file).collect


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("kind = 'pdf'\nheading = '^('", r"pdf.heading: .*not a regular expression.*\(got '\^\('\)"),
        ("kind = 'text'\nheading = '[a'", "text.heading: .*not a regular expression"),
        ("kind = 'text'\nheading = 'a{99999999999}'", "text.heading: .*not a regular expression"),
        ("kind = 'chat'\nline = '*'", "chat.line: .*not a regular expression"),
        ("kind = 'chat'\nline = '(?P<time>.*) (?P<who>.*)'", r"chat.line: .*\(\?P<nick>…\), \(\?P<text>…\)"),
        ("kind = 'html'\nheadings = 'h2['", "html.headings: .*not a CSS selector"),
        ("kind = 'html'\ncontent = 'main, article:nope'", "html.content: .*not a CSS selector"),
        ("kind = 'html'\ncontent = 'main,'", "html.content: .*not a CSS selector"),
        ("kind = 'csv'\nencoding = 'utf-9'", r"csv.encoding: .*no text encoding.*utf-8.*\(got 'utf-9'\)"),
        ("kind = 'text'\nencoding = 'hex'", "text.encoding: .*no text encoding"),
        ("kind = 'sql'\nquery = ' \\n'".replace("'", '"'), "sql.query: .*SELECT"),
    ],
)
def test_value_that_cannot_work_is_refused_with_its_place(source: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        load(tmp_path, f"name = 's'\npath = '*'\n{source}")


def test_what_works_is_taken_as_it_is_written(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "name = 'a'\nkind = 'html'\npath = 'https://example.com/@shop/{day}?at=a@b'\nheadings = ':is(h2, h3)'",
        "name = 'b'\npath = '*'\nkind = 'csv'\nencoding = 'UTF16'",
        "name = 'c'\npath = '*'\nkind = 'chat'\nline = '(?P<time>)(?P<nick>\\w+): (?P<text>.*)'",
    )

    assert [source.path for source in config.sources] == ["https://example.com/@shop/{day}?at=a@b", "*", "*"]
    assert config.sources[1].model_dump()["encoding"] == "UTF16"


@pytest.mark.parametrize("login", ["kari:hunter2", "hunter2"])
def test_credentials_in_an_address_are_refused_and_not_repeated(login: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"csv.path: .*credentials.*environment") as refusal:
        load(tmp_path, f"name = 's'\nkind = 'csv'\npath = 'https://{login}@shop.example/orders.csv'")

    assert "***@shop.example/orders.csv" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"collect.sources: .*name of its own.*qa"):
        load(tmp_path, *(f"kind = 'csv'\npath = '*'\nname = '{name}'" for name in ("qa", "other", "qa")))
