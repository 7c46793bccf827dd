"""`llmops tune`: looks for the learning rate and LoRA rank with the lowest validation loss, in short QLoRA trials."""

from typing import Any

from llmops import artifacts, digests
from llmops.manifest import Manifest
from llmops.training.config import FinetuneConfig
from llmops.training.threads import share_cores
from llmops.tuning.config import TuneConfig


def tune_hyperparameters(
    features: str, model: str, target: str, *, config: TuneConfig, training: FinetuneConfig
) -> Manifest:
    """Write best.json (what `finetune` takes over) and trials.json (every trial in its order).

    `training` is the configuration of the fine-tuning that the search is for: trials train as it says, but for what
    they vary, their budget and their seed.

    best.json says how it was found: `random search` up to HyperOpt's 20 start-up trials, `tpe` beyond. Raises
    TrainingError when the data cannot be trained on, or when there is no validation example.
    """
    tokens = artifacts.read(features, "materialize")
    base = artifacts.read(model, "import-model")
    attempt = artifacts.begin(
        target,
        stage="tune",
        version=2,
        config=config,
        inputs=[tokens, base],
        day=tokens.day,
        depends_on={"training": digests.of_json(_shared_settings(training))},
    )
    if attempt.committed:
        return attempt.committed

    share_cores()
    # torch, transformers and peft take 10 CPU seconds to import: a run that finds its work done does not pay them.
    from llmops.tuning.run import tune  # noqa: PLC0415 - see above

    best, trials = tune(tokens, base, config, training)
    attempt.write_bytes("best.json", digests.canonical_json(best))
    attempt.write_bytes("trials.json", digests.canonical_json(trials))
    return attempt.commit(counts={"trials": len(trials)}, metrics={"best_loss": best["loss"]})


def _shared_settings(training: FinetuneConfig) -> dict[str, Any]:
    """What trials take over from the fine-tuning's configuration."""
    own = {"learning_rate", "max_tokens", "validation_examples", "seed"}
    return training.model_dump(mode="json", exclude={*own, "lora"}) | {"dropout": training.lora.dropout}
