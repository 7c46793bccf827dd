"""A release to measure with: a Llama-shaped base model of random weights, a tokenizer of its size, a random adapter.

Only the shape counts for speed. The service finds everything as a real release: hashed files, a signed record, a named
champion. `python -m benchmarks.gpu.model HOME SHAPE` makes it once; a home that has one is left as it is.
"""

import itertools
import json
import string
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatch
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, PreTrainedTokenizerFast

from llmops import artifacts, digests, signing
from llmops.annotation import prompts
from llmops.config import StageConfig
from llmops.manifest import Manifest
from llmops.publishing import releases
from llmops.publishing.releases import BaseModelRecord, ReleaseRecord
from llmops.settings import Settings

SYSTEM = "Help customers."
VERSION = "benchmark-1"
_SPACE = "\u0120"  # how a byte-level tokenizer writes it
_PAD, _START, _END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "chat_template.jinja")


@dataclass(frozen=True)
class Shape:
    """Sizes of a Llama model."""

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_value_heads: int
    context: int


SHAPES = {
    # meta-llama/Llama-3.1-8B's config.json; its context of 131,072 is cut, as a support service would.
    "8b": Shape(128_256, 4096, 14_336, 32, 32, 8, 8192),
    "tiny": Shape(4096, 128, 256, 2, 4, 2, 1024),
}


def settings_of(home: Path) -> Settings:
    """Where a benchmark's home keeps its lake and keys."""
    return Settings(
        home=home,
        lake=str(home / "lake"),
        signing_key=home / "keys/signing.pem",
        trusted_key=home / "keys/trusted.pem",
        log_format="json",
    )


def make_release(home: Path, shape: Shape) -> Settings:
    """The settings of a lake whose champion has this shape; made if it is not there."""
    settings = settings_of(home)
    signing.create_keys(settings=settings)
    if releases.read_champion(settings.lake, settings.trusted_key) is None:
        base = _write_base(f"{settings.lake}/models/base", shape)
        release = _write_release(settings, base, shape)
        releases.write_champion(settings.lake, release, VERSION, settings=settings)
    return settings


def base_folder(settings: Settings) -> Path:
    """The base model's files, taken as they are: a bare engine need not hash 16 GB."""
    model = artifacts.read(f"{settings.lake}/models/base", stage="import-model")
    return Path(settings.lake, "models/base", model.files[0].name.split("/", 1)[0])


def release_folder(settings: Settings) -> Path:
    """The release's files, likewise."""
    release = artifacts.read(f"{settings.lake}/releases/{VERSION}", stage="publish")
    return Path(settings.lake, "releases", VERSION, release.files[0].name.split("/", 1)[0])


def make_tokenizer(vocabulary: int, context: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer in which every one of so many ids is text; nothing is trained.

    Its merges join letters to pairs and pairs to groups of four, in alphabetical order; three of four groups begin a
    word, so that what a random model says has words of a few tokens, as what real ones say.
    """
    tokens = {character: place for place, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges: list[tuple[str, str]] = []
    pairs = ["".join(pair) for pair in itertools.product(string.ascii_lowercase, repeat=2)]
    begins = itertools.product([f"{_SPACE}{pair}" for pair in pairs], pairs)
    goes_on = itertools.product(pairs, repeat=2)
    groups = (next(goes_on if place % 4 == 3 else begins) for place in itertools.count())
    joins = itertools.chain(((pair[0], pair[1]) for pair in pairs), ((_SPACE, pair) for pair in pairs), groups)
    for first, second in itertools.islice(joins, vocabulary - len(tokens) - 3):
        merges.append((first, second))
        tokens[first + second] = len(tokens)
    tokenizer = Tokenizer(models.BPE(vocab=tokens, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (_PAD, _START, _END)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=_START,
        eos_token=_END,
        pad_token=_PAD,
        chat_template=_CHAT_TEMPLATE,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def _write_base(uri: str, shape: Shape) -> Manifest:
    config = StageConfig()
    attempt = artifacts.begin(uri, stage="import-model", version=1, config=config)
    folder = attempt.local_folder()
    tokenizer = make_tokenizer(shape.vocabulary, shape.context)
    tokenizer.save_pretrained(folder)
    _config_of(shape, tokenizer).save_pretrained(folder)
    GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id).save_pretrained(folder)
    places: dict[str, str] = {}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for number, shard in enumerate(_shards(shape, torch.Generator(device).manual_seed(0))):
        name = f"model-{number:05}.safetensors"
        save_file(shard, folder / name, metadata={"format": "pt"})
        places |= dict.fromkeys(shard, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return attempt.commit(by_content=True)


def _config_of(shape: Shape, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="bfloat16",
    )


def _linear_sizes(shape: Shape) -> dict[str, tuple[int, int]]:
    """Rows and columns of a layer's matrices."""
    narrow = shape.hidden // shape.heads * shape.key_value_heads
    attention = {"q_proj": shape.hidden, "k_proj": narrow, "v_proj": narrow, "o_proj": shape.hidden}
    return {
        **{f"self_attn.{name}": (rows, shape.hidden) for name, rows in attention.items()},
        "mlp.gate_proj": (shape.intermediate, shape.hidden),
        "mlp.up_proj": (shape.intermediate, shape.hidden),
        "mlp.down_proj": (shape.hidden, shape.intermediate),
    }


def _shards(shape: Shape, generator: torch.Generator) -> Iterator[dict[str, torch.Tensor]]:
    """The weights, a layer at a time, so that the host never holds them all."""

    def random(*size: int) -> torch.Tensor:
        drawn = torch.randn(size, generator=generator, device=generator.device, dtype=torch.bfloat16)
        return drawn.mul_(0.02).cpu()  # transformers' `initializer_range` for Llama

    ones = torch.ones(shape.hidden, dtype=torch.bfloat16)
    yield {
        "model.embed_tokens.weight": random(shape.vocabulary, shape.hidden),
        "lm_head.weight": random(shape.vocabulary, shape.hidden),
        "model.norm.weight": ones.clone(),
    }
    for layer in range(shape.layers):
        name = f"model.layers.{layer}"
        yield {
            **{f"{name}.{part}.weight": random(*size) for part, size in _linear_sizes(shape).items()},
            f"{name}.input_layernorm.weight": ones.clone(),
            f"{name}.post_attention_layernorm.weight": ones.clone(),
        }


def _write_adapter(folder: Path, shape: Shape, rank: int = 16) -> None:
    """A LoRA adapter in peft's layout on all linear layers."""
    generator = torch.Generator().manual_seed(1)
    weights = {}
    for layer, (part, (rows, columns)) in itertools.product(range(shape.layers), _linear_sizes(shape).items()):
        for side, size in (("lora_A", (rank, columns)), ("lora_B", (rows, rank))):
            drawn = torch.randn(size, generator=generator).mul_(0.02).to(torch.bfloat16)
            weights[f"base_model.model.model.layers.{layer}.{part}.{side}.weight"] = drawn
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    shape_of_adapter = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(_LINEAR), task_type="CAUSAL_LM")
    shape_of_adapter.save_pretrained(folder)


def _write_release(settings: Settings, base: Manifest, shape: Shape) -> Manifest:
    uri = f"{settings.lake}/releases/{VERSION}"
    attempt = artifacts.begin(uri, stage="publish", version=1, config=StageConfig(), inputs=[base])
    _write_adapter(attempt.local_folder(), shape)
    for name in artifacts.named_files(base):
        if any(fnmatch(name, pattern) for pattern in _TOKENIZER_FILES):
            attempt.write_bytes(name, artifacts.read_named(base, name))
    record = ReleaseRecord(
        version=VERSION,
        as_of=date(2026, 1, 1),
        base=BaseModelRecord(
            path="models/base",
            digest=base.digest,
            licence="none: random weights",
            files={file.name.split("/", 1)[1]: file.sha256 for file in base.files},
        ),
        adapter=digests.of_bytes(b"random"),
        features=digests.of_bytes(b"none"),
        template=prompts.TEMPLATE,
        system=SYSTEM,
        max_new_tokens=128,
        temperature=0.0,
        scores={},
    )
    attempt.write_bytes(releases.RECORD, digests.canonical_json(record))
    attempt.commit(sign=lambda manifest: signing.sign_manifest(manifest, settings.signing_key))
    return releases.read_release(uri, settings.trusted_key)


if __name__ == "__main__":
    make_release(Path(sys.argv[1]), SHAPES[sys.argv[2]])
