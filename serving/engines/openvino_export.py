"""`python -m serving.engines.openvino_export`: a base model, with an adapter or without, as an OpenVINO model.

A process of its own, since it needs PyTorch and the memory for it. Merges the adapter into the float32 weights, traces
the model, makes the key-value cache a state, writes it, and prints as one line of JSON the greedy answer that PyTorch
gives to a fixed prompt, by which the engine proves that it computes the same. The form (inputs, state, `beam_idx`) is
what OpenVINO GenAI expects of a text-generation model
(https://docs.openvino.ai/2025/openvino-workflow/running-inference/inference-request/stateful-models.html).
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from openvino import opset13 as ops
from openvino._offline_transformations import apply_make_stateful_transformation
from peft import PeftModel
from transformers import AttentionInterface, AutoModelForCausalLM, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import repeat_kv
from transformers.masking_utils import AttentionMaskInterface

_ATTENTION = "openvino_export"
_PROBE_TOKENS = 8
_HIDDEN = torch.finfo(torch.float32).min


def main() -> None:
    """Read the job as JSON from standard input: `base`, `adapter` or null, `target` (folders), `probe` (token ids)."""
    job = json.load(sys.stdin)
    probe = torch.tensor([job["probe"]])
    AttentionInterface.register(_ATTENTION, _attend)
    AttentionMaskInterface.register(_ATTENTION, lambda *_, **__: None)
    model = AutoModelForCausalLM.from_pretrained(
        job["base"],
        dtype=torch.float32,
        attn_implementation="sdpa",
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
    ).eval()
    counts = True
    if job["adapter"]:
        with torch.inference_mode():
            untuned = model(probe).logits
        tuned = PeftModel.from_pretrained(model, job["adapter"], local_files_only=True)
        model = tuned.merge_and_unload(safe_merge=True)
        with torch.inference_mode():
            counts = not torch.equal(model(probe).logits, untuned)
    answer = _answer(model, probe)
    export(model, Path(job["target"]))
    sys.stdout.write(json.dumps({"answer": answer, "adapter_counts": counts}) + "\n")


def export(model: Any, folder: Path) -> None:
    """Write `openvino_model.xml` and its weights in float32."""
    config = model.config.get_text_config()
    layers, heads = config.num_hidden_layers, config.num_key_value_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    names = [
        f"{part}.{layer}.{kind}" for part in ("past", "present") for layer in range(layers) for kind in ("key", "value")
    ]
    past, present = names[: 2 * layers], names[2 * layers :]
    before = model.config._attn_implementation
    model.set_attn_implementation(_ATTENTION)
    with torch.no_grad():
        traced = torch.jit.trace(  # type: ignore[no-untyped-call] # torch leaves it without types
            _WithCache(model, layers), _example(layers, heads, width), check_trace=False
        )
        converted = openvino.convert_model(traced, example_input=_example(layers, heads, width))
    model.set_attn_implementation(before)
    _name(converted, ["input_ids", "attention_mask", "position_ids", *past], ["logits", *present], heads, width)
    _add_beam_index(converted, past)
    apply_make_stateful_transformation(converted, dict(zip(past, present, strict=True)))
    _start_empty(converted, heads, width)
    folder.mkdir(parents=True)
    openvino.save_model(converted, folder / "openvino_model.xml", compress_to_fp16=False)


class _WithCache(torch.nn.Module):
    """A model whose cache goes in and comes out as plain tensors."""

    def __init__(self, model: Any, layers: int) -> None:
        super().__init__()
        self._model, self._layers = model, layers

    def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any, *past: Any) -> tuple[Any, ...]:
        cache = DynamicCache()
        for layer in range(self._layers):
            cache.layers.append(_filled(past[2 * layer], past[2 * layer + 1]))
        total, new = attention_mask.shape[1], input_ids.shape[1]
        places, own = torch.arange(total)[None, :], (torch.arange(new) + (total - new))[:, None]
        is_seen = (places <= own)[None, None] & (attention_mask[:, None, None, :] != 0)
        mask = torch.where(is_seen, torch.zeros(()), torch.full((), _HIDDEN))
        output = self._model(
            input_ids=input_ids, attention_mask=mask, position_ids=position_ids, past_key_values=cache, use_cache=True
        )
        states = [state for layer in output.past_key_values.layers for state in (layer.keys, layer.values)]
        return (output.logits, *states)


def _filled(keys: Any, values: Any) -> DynamicLayer:
    """A layer of the cache that holds these states; `update` would concatenate them with an empty tensor first."""
    layer = DynamicLayer()
    layer.keys, layer.values, layer.is_initialized = keys, values, True
    layer.dtype, layer.device = keys.dtype, keys.device
    return layer


def _attend(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **options: Any) -> tuple[Any, None]:
    """Attention as one operation that OpenVINO recognises and pages."""
    groups = module.num_key_value_groups
    output = torch.nn.functional.scaled_dot_product_attention(
        query, repeat_kv(key, groups), repeat_kv(value, groups), attn_mask=attention_mask, scale=options.get("scaling")
    )
    return output.transpose(1, 2).contiguous(), None


def _example(layers: int, heads: int, width: int) -> tuple[Any, ...]:
    """Inputs of two rows with three new tokens after four; tracing keeps none of these numbers."""
    rows, new, old = 2, 3, 4
    states = [torch.zeros(rows, heads, old, width) for _ in range(2 * layers)]
    ids = torch.zeros(rows, new, dtype=torch.int64)
    mask = torch.ones(rows, old + new, dtype=torch.int64)
    return (ids, mask, torch.arange(old, old + new)[None].repeat(rows, 1), *states)


def _name(model: Any, inputs: list[str], outputs: list[str], heads: int, width: int) -> None:
    """Give inputs and outputs their names, and inputs shapes with open numbers of rows and tokens."""
    for port, name in zip(model.inputs, inputs, strict=True):
        is_state = name.startswith("past")
        port.get_tensor().set_names({name})
        port.get_node().set_friendly_name(name)
        port.get_node().set_partial_shape(openvino.PartialShape([-1, heads, -1, width] if is_state else [-1, -1]))
        port.get_node().set_element_type(openvino.Type.f32 if is_state else openvino.Type.i64)
    for port, name in zip(model.outputs, outputs, strict=True):
        port.get_tensor().set_names({name})
    model.validate_nodes_and_infer_types()


def _add_beam_index(model: Any, past: list[str]) -> None:
    """An input that reorders the rows of every state; GenAI asks for it."""
    index = ops.parameter(openvino.PartialShape([-1]), openvino.Type.i32, name="beam_idx")
    index.output(0).get_tensor().add_names({"beam_idx"})
    model.add_parameters([index])
    for name in past:
        port = model.input(name)
        readers = list(port.get_target_inputs())
        chosen = ops.gather(port.get_node(), index, ops.constant(0, dtype=np.int32))
        for reader in readers:
            reader.replace_source_output(chosen.output(0))
    model.validate_nodes_and_infer_types()


def _start_empty(model: Any, heads: int, width: int) -> None:
    """States begin without tokens, with as many rows as the input has."""
    shape = ops.shape_of(model.input("input_ids"), output_type="i64")
    rows = ops.gather(shape, ops.constant([0]), ops.constant(0))
    sizes = [ops.constant(np.array([size], dtype=np.int64)) for size in (heads, 0, width)]
    empty = ops.concat([rows, *sizes], axis=0)
    for node in model.get_ops():
        if node.get_type_name() == "ReadValue":
            node.set_arguments([ops.broadcast(ops.constant(0.0, dtype=np.float32), empty).output(0)])
    model.validate_nodes_and_infer_types()


@torch.inference_mode()
def _answer(model: Any, probe: torch.Tensor) -> list[int]:
    """The greedy answer to the probe, end tokens and all."""
    output = model.generate(
        input_ids=probe,
        attention_mask=torch.ones_like(probe),
        max_new_tokens=_PROBE_TOKENS,
        min_new_tokens=_PROBE_TOKENS,
        do_sample=False,
        pad_token_id=0,
    )
    answer: list[int] = output[0, probe.shape[1] :].tolist()
    return answer


if __name__ == "__main__":
    main()
