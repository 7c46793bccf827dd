"""Base models and adapters in memory: 4-bit for training, full precision for evaluation."""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peft
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from llmops.training.config import LoraConfig


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype() -> torch.dtype:
    """bfloat16 on a GPU; float32 on the CPU, where bfloat16 is several times slower without AVX-512."""
    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def load_tokenizer(folder: Path) -> Any:
    """The model's own tokenizer."""
    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def count_vocabulary(folder: Path) -> int:
    """Ids that the model has embeddings for."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return int(config.get_text_config().vocab_size)


def load_full(folder: Path) -> Any:
    """The base model in full precision, as it is served."""
    return _load(folder).eval()


def load_quantised(folder: Path) -> Any:
    """The base model with 4-bit weights (NF4, double quantisation) in its linear layers, frozen.

    It stays in training mode: see `without_dropout`.
    """
    quantisation = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype(),
    )
    return _load(folder, quantization_config=quantisation).train().requires_grad_(False)


def add_adapter(model: Any, shape: LoraConfig, *, seed: int) -> Any:
    """Wrap a base model with a new LoRA adapter on all linear layers; it changes nothing until it is trained."""
    config = peft.LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,
        lora_dropout=shape.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(seed)
    with _silence_deprecation():
        return peft.get_peft_model(model, config)


def attach_adapter(model: Any, folder: Path, *, name: str) -> Any:
    """Wrap a base model with a trained adapter, for inference; more can be added under other names."""
    with _silence_deprecation():
        return peft.PeftModel.from_pretrained(model, folder, adapter_name=name).eval()


def save_adapter(model: Any, folder: Path, *, base: str) -> None:
    """Write adapter_model.safetensors and adapter_config.json; equal weights give equal bytes.

    `base` names the base model in the configuration, in place of this machine's path to it.
    """
    model.peft_config["default"].base_model_name_or_path = base
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()  # a card without content; `llmops publish` writes the real one
    path = folder / "adapter_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["target_modules"] = sorted(content["target_modules"])  # a set in memory, in any order
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "adapter_model.safetensors").chmod(0o644)  # as every other file of the lake


@contextmanager
def without_dropout(model: Any) -> Iterator[None]:
    """Dropout off within the block.

    `model.eval()` would do more: on CPUs with AVX-512 BF16, bitsandbytes then repacks the 4-bit weights for inference,
    for good, in a form that rounds to bfloat16 and passes no gradients on.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Dropout) and layer.training]
    for layer in layers:
        layer.eval()
    try:
        yield
    finally:
        for layer in layers:
            layer.train()


@contextmanager
def _silence_deprecation() -> Iterator[None]:
    """Without a warning that peft 0.21 asks transformers 5.23 for something by its old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield


def _load(folder: Path, **options: Any) -> Any:
    transformers_logging.disable_progress_bar()
    return AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=compute_dtype(),
        device_map={"": device()},
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        **options,
    )
