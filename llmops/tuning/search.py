"""The search over hyper-parameters: HyperOpt's TPE, which draws its first trials at random."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hyperopt import STATUS_FAIL, STATUS_OK, Trials, fmin, hp, space_eval, tpe
from hyperopt.exceptions import AllTrialsFailed

from llmops.errors import TrainingError
from llmops.training.config import FinetuneConfig, LoraConfig
from llmops.tuning.config import TuneConfig

RANDOM_TRIALS = 20
"""TPE models the losses only after these (`n_startup_jobs` of `hyperopt.tpe.suggest`)."""


@dataclass(frozen=True)
class Point:
    """One choice of what the search varies."""

    learning_rate: float
    rank: int

    @property
    def alpha(self) -> int:
        """LoRA's scale: an update counts twice, whatever the rank."""
        return 2 * self.rank


@dataclass(frozen=True)
class Trial:
    """A point with the validation loss that training there led to; not finite if training failed."""

    point: Point
    loss: float


def algorithm(trials: int) -> str:
    """What a search of so many trials really is."""
    return "tpe" if trials > RANDOM_TRIALS else "random search"


def settings_of(point: Point, config: TuneConfig, training: FinetuneConfig) -> FinetuneConfig:
    """How a trial trains: as the fine-tuning will, but for what is varied, the budget and the seed."""
    shape = LoraConfig(rank=point.rank, alpha=point.alpha, dropout=training.lora.dropout)
    varied = {"learning_rate": point.learning_rate, "lora": shape}
    return training.model_copy(update={**varied, "max_tokens": config.tokens_per_trial, "seed": config.seed})


def search(objective: Callable[[Point], float], config: TuneConfig) -> tuple[Point, list[Trial]]:
    """The point with the lowest loss, and all trials in their order. Equal losses and seed give equal points.

    Raises TrainingError when no trial has a finite loss.
    """
    space = {
        "learning_rate": hp.loguniform(
            "learning_rate", math.log(config.learning_rate_low), math.log(config.learning_rate_high)
        ),
        "rank": hp.choice("rank", config.ranks),
    }
    done: list[Trial] = []

    def evaluate(values: dict[str, float]) -> dict[str, object]:
        point = Point(float(values["learning_rate"]), int(values["rank"]))
        done.append(Trial(point, objective(point)))
        loss = done[-1].loss
        return {"loss": loss, "status": STATUS_OK} if math.isfinite(loss) else {"status": STATUS_FAIL}

    trials = Trials()
    try:
        fmin(
            evaluate,
            space,
            algo=tpe.suggest,
            max_evals=config.trials,
            trials=trials,
            rstate=np.random.default_rng(config.seed),
            show_progressbar=False,
            verbose=False,
        )
    except AllTrialsFailed as error:
        raise TrainingError(
            f"none of {config.trials} trials has a finite loss; lower `learning_rate_high` of `tune`"
        ) from error
    best = space_eval(space, trials.argmin)
    return Point(float(best["learning_rate"]), int(best["rank"])), done
