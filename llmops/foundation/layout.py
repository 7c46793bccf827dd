"""What a model folder holds and what it must not: transformers' layout with safetensors, nothing executable."""

import json
import os
import shutil
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from llmops.errors import TrainingError

KEPT = (
    "model*.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "LICENSE*",
    "NOTICE*",
)
"""Patterns of the files that are imported; a repository's other formats and its documentation stay behind."""

_EXECUTABLE = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.pickle", "*.ckpt")
_SAID_BY_ORIGIN = ("_name_or_path", "_model_name_or_path", "name_or_path", "is_local", "local_files_only")
"""Keys of JSON files that tell where a model was loaded from; the same model from elsewhere must have equal files."""


def model_files(folder: Path) -> list[Path]:
    """The files of a model folder that belong to the model, sorted by name."""
    return sorted({path for pattern in KEPT for path in folder.glob(pattern) if path.is_file()})


def copy_model(source: Path, target: Path, *, link: bool) -> None:
    """Bring the model's files into `target`; `link` shares the bytes with the source where the disk allows it."""
    for path in model_files(source):
        original, copy = path.resolve(), target / path.name
        if link and original.stat().st_dev == target.stat().st_dev:
            os.link(original, copy)
        else:
            shutil.copyfile(original, copy)


def check(folder: Path, name: str) -> None:
    """Refuse a folder that cannot be trained on, or that would run code when loaded.

    Raises TrainingError that begins with `name` and says what to do. Whether weights fit the architecture is only
    seen when the model is loaded.
    """
    pickles = sorted(path.name for pattern in _EXECUTABLE for path in folder.glob(pattern))
    if pickles:
        raise TrainingError(
            f"{name}: holds pickle files, which run code when loaded ({', '.join(pickles)}); load the model where you "
            "trust it, write it with save_pretrained (safetensors) and remove these files"
        )
    if not list(folder.glob("model*.safetensors")):
        raise TrainingError(f"{name}: no model*.safetensors; write the model with save_pretrained (safetensors)")
    missing = sorted(shard for shard in _shards(folder) if not (folder / shard).is_file())
    if missing:
        raise TrainingError(f"{name}: {', '.join(missing)} named by the index but not there; complete the download")
    if "auto_map" in _read_json(folder / "config.json", name):
        raise TrainingError(
            f"{name}: needs code of its own (auto_map), which is not run here; take a model that transformers knows"
        )
    _check_tokenizer(folder, name)


def forget_origin(folder: Path) -> None:
    """Take the place that a model was loaded from out of its JSON files."""
    for file in ("config.json", "tokenizer_config.json", "generation_config.json"):
        path = folder / file
        if not path.is_file():
            continue
        content = json.loads(path.read_text(encoding="utf-8"))
        kept = {key: value for key, value in content.items() if key not in _SAID_BY_ORIGIN}
        if kept != content:
            path.unlink()  # it may be linked to the original
            path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def count_parameters(folder: Path) -> int:
    """Numbers in all weight tensors, from the files' headers. Raises TrainingError for a damaged file."""
    return sum(_count_in(path) for path in sorted(folder.glob("model*.safetensors")))


def _count_in(path: Path) -> int:
    try:
        with safe_open(path, framework="numpy") as weights:
            return sum(prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118 - no dict
    except SafetensorError as error:
        raise TrainingError(f"{path.name}: not a complete safetensors file ({error}); fetch the model again") from error


def _check_tokenizer(folder: Path, name: str) -> None:
    tokenizer = _read_json(folder / "tokenizer_config.json", name)
    if not ((folder / "chat_template.jinja").is_file() or tokenizer.get("chat_template")):
        raise TrainingError(f"{name}: no chat template; use the model's instruction-tuned (chat) variant")
    if not tokenizer.get("eos_token"):
        raise TrainingError(
            f"{name}: tokenizer_config.json names no eos_token, so that answers would never end; add the token that "
            "closes a turn in the chat template"
        )


def _shards(folder: Path) -> Iterator[str]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        yield from set(_read_json(index, index.name)["weight_map"].values())


def _read_json(path: Path, name: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(f"{name}: no {path.name}; give a folder in transformers' layout") from error
    except ValueError as error:
        raise TrainingError(f"{name}: {path.name} is not JSON; fetch the model again") from error
    return content
