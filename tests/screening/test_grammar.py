"""Templates expand to what they say, and mistakes in them are named with their line."""

from itertools import product
from pathlib import Path
from random import Random

import pytest

from llmops.errors import ConfigurationError
from llmops.screening import corpus, grammar


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "small.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_choice_comes_up_and_nothing_else(tmp_path: Path) -> None:
    rules = grammar.read(_file(tmp_path, "# comment\n@end (now|at (noon|one))\n% f\n(eat|drink|) it {end}.\n"))
    (template,) = rules.families["f"]
    dice = Random(1)  # noqa: S311 - the same texts every time

    found = {rules.expand(template, dice) for _ in range(500)}

    wanted = {f"{verb}it {end}." for verb, end in product(["eat ", "drink ", ""], ["now", "at noon", "at one"])}
    assert found == wanted


def test_marks_with_a_backslash_stand_for_themselves(tmp_path: Path) -> None:
    rules = grammar.read(_file(tmp_path, '% f\nprint\\(a \\| b\\)\\n{"role": 1} a|b\n'))

    assert rules.expand(rules.families["f"][0], Random(1)) == 'print(a | b)\n{"role": 1} a|b'  # noqa: S311


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("% f\na (b|c\n", "line 2: `\\(` without `\\)`"),
        ("% f\na b)\n", "line 2: `\\)` without `\\(`"),
        ("% f\na {nothing}\n", "no such slot: nothing"),
        ("a\n", "line 1: a template before the first family"),
    ],
)
def test_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        grammar.read(_file(tmp_path, text))


@pytest.mark.parametrize("name", ["attacks", "attacks_other_languages", "benign"])
def test_same_seed_gives_the_same_texts_and_another_gives_others(name: str) -> None:
    one, again, other = (
        [item.text for item in corpus.generated(name, 400, is_attack=name != "benign", seed=seed)] for seed in (1, 1, 2)
    )

    assert one == again
    assert len(set(one) & set(other)) < 100
    assert all("{" not in text or '{"' in text or "{tr" not in text for text in one)
    assert all(text.strip() and len(text) < 700 for text in one)
