"""The same training on a GPU: bfloat16, the adapter in float32. Run it with `pytest -m gpu`."""

from pathlib import Path
from typing import Any

import pytest
import torch

from llmops.training.base import add_adapter, attach_adapter, load_full, load_quantised, save_adapter
from llmops.training.config import FinetuneConfig, LoraConfig
from llmops.training.loop import train
from llmops.training.loss import measure_mean_loss
from tests.training.samples import PAIRS, encode_pairs

pytestmark = pytest.mark.gpu


def test_a_gpu_trains_repeatably_and_the_adapter_serves(
    tiny_model_folder: Path, tokenizer: Any, tmp_path: Path
) -> None:
    examples = encode_pairs(tokenizer, PAIRS[:4])
    weights = []
    for name in ("one", "two"):
        model = add_adapter(load_quantised(tiny_model_folder), LoraConfig(), seed=0)
        losses = train(model, [examples] * 100, FinetuneConfig(learning_rate=1e-2)).losses
        save_adapter(model, tmp_path / name, base="tiny")
        weights.append((tmp_path / name / "adapter_model.safetensors").read_bytes())

    served = attach_adapter(load_full(tiny_model_folder), tmp_path / "one", name="one")

    assert served.device.type == "cuda"
    assert next(served.get_base_model().parameters()).dtype == torch.bfloat16
    assert weights[0] == weights[1]
    assert measure_mean_loss(served, examples) == pytest.approx(losses[-1], rel=0.02)
    assert losses[-1] < losses[0] - 1
