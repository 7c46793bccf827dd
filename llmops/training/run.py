"""One fine-tuning run, from token rows to adapter files."""

from pathlib import Path
from typing import Any

import structlog

from llmops import artifacts, digests
from llmops.manifest import Manifest
from llmops.training.base import (
    add_adapter,
    count_vocabulary,
    load_quantised,
    load_tokenizer,
    save_adapter,
    without_dropout,
)
from llmops.training.batches import plan_steps
from llmops.training.config import FinetuneConfig
from llmops.training.examples import Example, check_tokenizer, read_examples
from llmops.training.loop import History, train
from llmops.training.loss import measure_mean_loss
from llmops.training.preflight import check_examples

log = structlog.get_logger()

_LAST_STEPS = 10


def finetune(features: Manifest, base: Manifest, config: FinetuneConfig, folder: Path) -> dict[str, float]:
    """Train an adapter, write it and training.json into `folder`, and return the figures for the manifest.

    Bit for bit repeatable on one machine with one number of threads.
    """
    examples = read_examples(features, "train")
    validation = read_examples(features, "validation", config.validation_examples)
    check_tokenizer(features, base)
    model = load_base_for(examples + validation, base)
    steps = plan_steps(
        examples,
        batch_size=config.batch_size,
        max_tokens=config.max_tokens,
        max_epochs=config.max_epochs,
        seed=config.seed,
    )
    model = add_adapter(model, config.lora, seed=config.seed)
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    log.info("training.started", steps=len(steps), trainable_parameters=trainable, device=str(model.device))
    first = _validate(model, validation)
    history = train(model, steps, config)
    last = _validate(model, validation)
    save_adapter(model, folder, base=base.digest)
    report = _report(config, history, trainable, {"examples": len(validation), "first": first, "last": last})
    (folder / "training.json").write_bytes(digests.canonical_json(report))
    return _metrics(history, last)


def load_base_for(examples: list[Example], base: Manifest) -> Any:
    """The quantised base model, once the examples are found fit to train it."""
    folder = artifacts.local_folder(base)
    end_token = load_tokenizer(folder).eos_token_id
    check_examples(examples, end_token=end_token, vocabulary_size=count_vocabulary(folder))
    return load_quantised(folder)


def _validate(model: Any, examples: list[Example]) -> float | None:
    """Mean loss on the validation examples, or None when there are none."""
    if not examples:
        return None
    with without_dropout(model):
        loss = measure_mean_loss(model, examples)
    log.info("adapter.validated", examples=len(examples), loss=round(loss, 4))
    return loss


def _report(
    config: FinetuneConfig, history: History, trainable: int, validation: dict[str, float | None]
) -> dict[str, object]:
    return {
        "hyperparameters": config.model_dump(mode="json"),
        "steps": len(history.losses),
        "tokens": history.tokens,
        "trainable_parameters": trainable,
        "losses": history.losses,
        "validation": validation,
    }


def _metrics(history: History, validation_loss: float | None) -> dict[str, float]:
    last = history.losses[-_LAST_STEPS:]
    metrics = {
        "train_loss": sum(last) / len(last),
        "tokens": float(history.tokens),
        "tokens_per_second": history.tokens_per_second,
    }
    return metrics if validation_loss is None else {**metrics, "validation_loss": validation_loss}
