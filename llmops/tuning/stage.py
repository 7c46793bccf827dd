"""`llmops tune`: looks for the learning rate and LoRA rank with the lowest validation loss, in short QLoRA trials."""

from llmops import artifacts, digests
from llmops.artifacts import Manifest
from llmops.training.threads import share_cores
from llmops.tuning.config import TuneConfig


def tune_hyperparameters(features: str, model: str, target: str, *, config: TuneConfig) -> Manifest:
    """Write best.json (what `finetune` takes over) and trials.json (every trial in its order).

    best.json says how it was found: `random search` up to HyperOpt's 20 start-up trials, `tpe` beyond. Raises
    TrainingError when the data cannot be trained on, or when there is no validation example.
    """
    tokens = artifacts.read(features, "materialize")
    base = artifacts.read(model, "import-model")
    attempt = artifacts.begin(target, stage="tune", version=1, config=config, inputs=[tokens, base], day=tokens.day)
    if attempt.committed:
        return attempt.committed

    share_cores()
    # torch, transformers and peft take 10 CPU seconds to import: a run that finds its work done does not pay them.
    from llmops.tuning.run import tune  # noqa: PLC0415 - see above

    best, trials = tune(tokens, base, config)
    attempt.write_bytes("best.json", digests.canonical_json(best))
    attempt.write_bytes("trials.json", digests.canonical_json(trials))
    return attempt.commit(counts={"trials": len(trials)}, metrics={"best_loss": best["loss"]})
