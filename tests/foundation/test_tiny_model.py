"""The tiny model is what every test of tokens, training and serving stands on."""

from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer

from llmops import artifacts
from llmops.manifest import Manifest
from tests.tiny_model import make_tiny_model


def test_equal_seeds_give_equal_bytes(tiny_model_folder: Path, tmp_path: Path) -> None:
    make_tiny_model(tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in tiny_model_folder.iterdir()
    }


def test_imported_tiny_model_loads_and_talks_chatml(tiny_model: Manifest) -> None:
    folder = artifacts.local_folder(tiny_model)

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], add_generation_prompt=True, tokenize=False
    )
    ids = tokenizer(text, return_tensors="pt")
    answer = model.generate(**ids, max_new_tokens=3, do_sample=False)

    assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(ids["input_ids"][0]) == text
    assert answer.shape[1] > ids["input_ids"].shape[1]
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
