"""GGUF to safetensors: the quantised blocks are unpacked to float32, once.

Imports torch and transformers (10 CPU seconds), so that only a conversion loads this module.
"""

from pathlib import Path

import structlog
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

log = structlog.get_logger()


def convert(path: Path, folder: Path) -> None:
    """Write model, tokenizer and chat template of a GGUF file into `folder`, in transformers' layout.

    Not carried over by transformers: `tokenizer.ggml.pre`. For SmolLM2 it splits digits one by one, which the merges do
    anyway; only several spaces before a digit get other ids than in the original tokenizer.
    """
    log.info("model.converting", file=path.name, megabytes=path.stat().st_size // 1_000_000)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for weights in folder.glob("*.safetensors"):
        weights.chmod(0o644)  # as every other file of the lake; transformers leaves them to the owner alone
