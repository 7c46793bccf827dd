"""`llmops finetune`: trains a LoRA adapter on the 4-bit base model (QLoRA), with the hyper-parameters `tune` found."""

import json

from llmops import artifacts
from llmops.manifest import Manifest
from llmops.training.config import FinetuneConfig, LoraConfig
from llmops.training.threads import share_cores


def finetune_adapter(features: str, model: str, tuning: str, target: str, *, config: FinetuneConfig) -> Manifest:
    """Write adapter_model.safetensors, adapter_config.json and training.json.

    `manifest.metrics` holds train_loss, validation_loss (when there is a validation part), tokens and
    tokens_per_second. Raises TrainingError when the data or the model cannot be trained on.
    """
    tokens = artifacts.read(features, "materialize")
    base = artifacts.read(model, "import-model")
    search = artifacts.read(tuning, "tune")
    attempt = artifacts.begin(
        target, stage="finetune", version=1, config=config, inputs=[tokens, base, search], day=tokens.day
    )
    if attempt.committed:
        return attempt.committed

    share_cores()
    # torch, transformers and peft take 10 CPU seconds to import: a run that finds its work done does not pay them.
    from llmops.training.run import finetune  # noqa: PLC0415 - see above

    metrics = finetune(tokens, base, take_winner(config, search), attempt.local_folder())
    return attempt.commit(metrics=metrics)


def take_winner(config: FinetuneConfig, search: Manifest) -> FinetuneConfig:
    """The configuration with the learning rate and the adapter's shape that won the search."""
    best = json.loads(artifacts.read_named(search, "best.json"))
    shape = LoraConfig(rank=best["rank"], alpha=best["alpha"], dropout=config.lora.dropout)
    return config.model_copy(update={"learning_rate": best["learning_rate"], "lora": shape})
