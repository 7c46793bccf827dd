"""Examples become the ids that serving would send, or are set aside with a reason."""

import random
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from llmops import artifacts
from llmops.errors import ParentageError, TrainingError
from llmops.manifest import Manifest
from llmops.tokenization.config import TokenizeConfig
from llmops.tokenization.encode import encode_examples
from llmops.tokenization.fingerprint import fingerprint_tokenizer
from llmops.tokenization.stage import tokenize_examples
from tests.tokenization.examples import DAY, commit_split, example

KNOWLEDGE = {"question": "", "answer": "", "part": "context"}


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Manifest) -> Any:
    return AutoTokenizer.from_pretrained(artifacts.local_folder(tiny_model))


def _tokenize(lake: Path, rows: list[dict[str, Any]], model: Manifest, **config: int) -> Manifest:
    split = commit_split(str(lake), rows)
    target = f"{lake}/tokens/as_of={DAY}"
    return tokenize_examples(split.uri, model.uri, target, config=TokenizeConfig(**config))


def test_ids_spell_the_conversation_and_end_with_the_end_token(
    tiny_model: Manifest, tokenizer: Any, tmp_path: Path
) -> None:
    rows = [
        example("a", "Where is my parcel?", "On its way."),
        example("k", **KNOWLEDGE),
        example("b", "Grüße 👋 何時?", "Не знаю.", part="test"),
    ]

    manifest = _tokenize(tmp_path, rows, tiny_model)

    prompt = "<|im_start|>system\nAnswer briefly.<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    first, second = artifacts.read_table(manifest).to_pylist()
    assert tokenizer.decode(first["input_ids"]) == prompt.format("Where is my parcel?") + "On its way.<|im_end|>"
    assert tokenizer.decode(first["input_ids"][: first["prompt_tokens"]]) == prompt.format("Where is my parcel?")
    assert tokenizer.decode(second["input_ids"]) == prompt.format("Grüße 👋 何時?") + "Не знаю.<|im_end|>"
    assert first["attention_mask"] == [1] * len(first["input_ids"])
    assert (first["row_id"], first["parents"], first["part"]) == ("a", ["a"], "train")
    assert (second["row_id"], second["part"]) == ("b", "test")
    assert manifest.day == DAY
    assert manifest.counts == {
        "kept": 2,
        "set_aside": 0,
        "context_rows": 1,
        "train_rows": 1,
        "train_tokens": len(first["input_ids"]),
        "test_rows": 1,
        "test_tokens": len(second["input_ids"]),
    }


def test_an_example_over_the_limit_is_set_aside_and_never_cut(tiny_model: Manifest, tmp_path: Path) -> None:
    rows = [example("short", "Hi", "Hello"), example("long", "Hi", "No. " * 200)]

    manifest = _tokenize(tmp_path, rows, tiny_model, max_tokens=100)

    (kept,) = artifacts.read_table(manifest).to_pylist()
    (aside,) = artifacts.read_table(manifest, quarantine=True).to_pylist()
    assert kept["row_id"] == "short"
    assert (aside["row_id"], aside["rule"]) == ("long", "too_long")
    assert "more than the 100 of tokenize.max_tokens" in aside["reason"]


def test_a_pair_that_gets_no_ids_is_noticed(tiny_model: Manifest, tmp_path: Path) -> None:
    lost = {**example("lost", "", ""), "part": "train"}

    with pytest.raises(ParentageError, match="1 input rows unaccounted for"):
        _tokenize(tmp_path, [example("a", "Hi", "Hello"), example("k", **KNOWLEDGE), lost], tiny_model)
    assert artifacts.find(f"{tmp_path}/tokens/as_of={DAY}") is None


def test_digests_do_not_depend_on_the_place_of_the_lake(tiny_model: Manifest, tmp_path: Path) -> None:
    rows = [example("short", "Hi", "Hello"), example("long", "Hi", "No. " * 200)]

    one = _tokenize(tmp_path / "one", rows, tiny_model, max_tokens=100)
    other = _tokenize(tmp_path / "other", rows[::-1], tiny_model, max_tokens=100)
    again = _tokenize(tmp_path / "one", rows, tiny_model, max_tokens=100)

    assert one.digest == other.digest
    assert again == one


def test_nothing_to_train_on_is_refused_and_nothing_is_committed(tiny_model: Manifest, tmp_path: Path) -> None:
    rows = [example("a", "Hi", "Hello", part="test"), example("k", **KNOWLEDGE)]

    with pytest.raises(TrainingError, match=r"no training example is left .* collect more days"):
        _tokenize(tmp_path, rows, tiny_model)
    assert artifacts.find(f"{tmp_path}/tokens/as_of={DAY}") is None


def test_text_from_outside_never_becomes_a_control_token(tokenizer: Any) -> None:
    control = sorted({*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()})
    control_ids = set(tokenizer.convert_tokens_to_ids(control))
    start, end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    pieces = [*control, *(token[:-1] for token in control), *(token[1:] for token in control)]
    pieces += ["<", "|", "|>", "im_", "end", "system\n", " ", "\n", "\u200b", "\u00a0", "x", "<<|im_start|>|im_end|>"]
    dice = random.Random(7)  # noqa: S311 - a fixed seed is wanted
    texts = ["".join(dice.choices(pieces, k=dice.randint(1, 12))) for _ in range(400)]
    rows = [example(f"row-{number}", f"q {text}", f"a {text}") for number, text in enumerate(texts)]

    for row in encode_examples(tokenizer, "fingerprint", rows):
        found = [token for token in row["input_ids"] if token in control_ids]
        assert found == [start, end, start, end, start, end], "as the template of three turns puts them"


def test_a_template_that_refuses_the_conversation_is_one_clear_error(tokenizer: Any) -> None:
    refusing = tokenizer.__class__.from_pretrained(tokenizer.name_or_path)
    refusing.chat_template = "{{ raise_exception('system messages are not supported') }}"

    with pytest.raises(TrainingError, match=r"refuses a conversation of system and user .*not supported"):
        list(encode_examples(refusing, "fingerprint", [example("a", "Hi", "Hello")]))


def test_the_fingerprint_changes_with_the_chat_template_and_not_with_the_weights(tiny_model: Manifest) -> None:
    def changed(suffix: str) -> str:
        files = [
            file.model_copy(update={"sha256": "0" * 64}) if file.name.endswith(suffix) else file
            for file in tiny_model.files
        ]
        return fingerprint_tokenizer(files)

    original = fingerprint_tokenizer(tiny_model.files)
    assert changed("model.safetensors") == original
    assert changed("chat_template.jinja") != original
    assert changed("tokenizer.json") != original
    with pytest.raises(TrainingError, match="no tokenizer files"):
        fingerprint_tokenizer([file for file in tiny_model.files if file.name.endswith("safetensors")])
