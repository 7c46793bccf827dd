"""Short QLoRA trials on one quantised base model."""

import math
from dataclasses import asdict
from typing import Any

import structlog

from llmops.errors import TrainingError
from llmops.manifest import Manifest
from llmops.training.base import add_adapter, without_dropout
from llmops.training.batches import plan_steps
from llmops.training.config import FinetuneConfig
from llmops.training.examples import Example, check_tokenizer, read_examples
from llmops.training.loop import train
from llmops.training.loss import measure_mean_loss
from llmops.training.run import load_base_for
from llmops.tuning.config import TuneConfig
from llmops.tuning.search import Point, Trial, algorithm, search, settings_of

log = structlog.get_logger()


def tune(
    features: Manifest, base: Manifest, config: TuneConfig, training: FinetuneConfig
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The winning hyper-parameters with how they were found, and every trial in its order."""
    check_tokenizer(features, base)
    examples = read_examples(features, "train")
    validation = read_examples(features, "validation", config.validation_examples)
    if not validation:
        raise TrainingError(
            f"{features.uri}: no validation example to choose hyper-parameters by; raise split.validation_share or "
            "collect more days"
        )
    model = load_base_for(examples + validation, base)
    found_by = algorithm(config.trials)
    log.info("search.started", algorithm=found_by, trials=config.trials, validation_examples=len(validation))
    number = 0

    def objective(point: Point) -> float:
        nonlocal number
        number += 1
        loss = _try(model, settings_of(point, config, training), examples, validation)
        log.info("trial.finished", trial=f"{number}/{config.trials}", loss=round(loss, 4), **asdict(point))
        return loss

    best, trials = search(objective, config)
    loss = min(trial.loss for trial in trials if math.isfinite(trial.loss))
    return {**_describe(Trial(best, loss)), "algorithm": found_by}, [_describe(trial) for trial in trials]


def _try(base: Any, settings: FinetuneConfig, examples: list[Example], validation: list[Example]) -> float:
    """Validation loss after a short training from a fresh adapter; infinite where training failed."""
    steps = plan_steps(
        examples,
        batch_size=settings.batch_size,
        max_tokens=settings.max_tokens,
        max_epochs=settings.max_epochs,
        seed=settings.seed,
    )
    model = add_adapter(base, settings.lora, seed=settings.seed)
    try:
        train(model, steps, settings)
        with without_dropout(model):
            return measure_mean_loss(model, validation)
    except TrainingError:  # the loss ran away: this point is no winner, and the search goes on
        return math.inf
    finally:
        model.unload()


def _describe(trial: Trial) -> dict[str, Any]:
    loss = trial.loss if math.isfinite(trial.loss) else None
    return {**asdict(trial.point), "alpha": trial.point.alpha, "loss": loss}
