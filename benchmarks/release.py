"""A release to measure with: a base model in a lake of its own, an adapter with random weights, signed and champion."""

from datetime import date
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from llmops import artifacts, digests, signing
from llmops.annotation.prompts import TEMPLATE
from llmops.foundation.config import ImportModelConfig
from llmops.foundation.stage import import_model
from llmops.manifest import Manifest
from llmops.publishing import releases
from llmops.publishing.config import PublishConfig
from llmops.publishing.releases import BaseModelRecord, ReleaseRecord
from llmops.settings import Settings
from tests.tiny_model import make_tiny_model

SYSTEM = "You answer customers' questions about orders, products and policies of the shop."
VERSION = "benchmark-release"


def make_adapter(base: Path, target: Path, *, rank: int = 16, scale: float = 0.004) -> None:
    """Write an adapter on all linear layers whose random update changes answers, but leaves them sentences."""
    torch.manual_seed(0)
    shape = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), shape)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=scale)
    model.save_pretrained(target)


def make_tiny_release(settings: Settings) -> Settings:
    """The tests' two-layer model with an adapter as champion of a lake, for what is not about the model; made once."""
    folder = settings.home / "tiny-model"
    if not folder.exists():
        make_tiny_model(folder)
    config = ImportModelConfig(base_model=str(folder), licence="Apache-2.0")
    model = import_model(f"{settings.lake}/models/tiny", config=config)
    if not (settings.home / "adapter").exists():
        make_adapter(folder, settings.home / "adapter", rank=4, scale=0.5)
    release_adapter(settings, model, settings.home / "adapter", max_new_tokens=32)
    return settings


def release_adapter(settings: Settings, model: Manifest, adapter: Path, *, max_new_tokens: int) -> None:
    """Sign the adapter as a release on `model`, which lies in the lake, and make it the champion."""
    signing.create_keys(settings=settings)
    files = artifacts.named_files(model)
    hashes = {name: file.sha256 for name, full in files.items() for file in model.files if file.name == full}
    record = ReleaseRecord(
        version=VERSION,
        as_of=date(2026, 1, 1),
        base=BaseModelRecord(
            path=releases.relative_to(settings.lake, model.uri), digest=model.digest, licence="Apache-2.0", files=hashes
        ),
        adapter="",
        features="",
        template=TEMPLATE,
        system=SYSTEM,
        max_new_tokens=max_new_tokens,
        temperature=0.0,
        scores={},
    )
    uri = artifacts.join(settings.lake, "releases", VERSION)
    attempt = artifacts.begin(uri, stage="publish", version=1, config=PublishConfig(), inputs=[model])
    if attempt.committed is None:
        for path in (adapter / "adapter_model.safetensors", adapter / "adapter_config.json"):
            attempt.write_bytes(path.name, path.read_bytes())
        for name in files:
            if "token" in name or name == "chat_template.jinja":
                attempt.write_bytes(name, artifacts.read_named(model, name))
        attempt.write_bytes(releases.RECORD, digests.canonical_json(record))
        attempt.commit(sign=lambda manifest: signing.sign_manifest(manifest, settings.signing_key))
    release = releases.read_release(uri, settings.trusted_key)
    releases.write_champion(settings.lake, release, VERSION, settings=settings)
