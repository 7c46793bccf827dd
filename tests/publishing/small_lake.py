"""A lake with everything that a publication rests on, written by hand: small tables, real adapter, real base model."""

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pyarrow as pa

from llmops import artifacts, schemas, signing
from llmops.annotation.config import AnnotateConfig
from llmops.annotation.prompts import TEMPLATE
from llmops.config import StageConfig
from llmops.evaluation.config import EvaluateConfig
from llmops.governance import seals
from llmops.governance.config import GateConfig
from llmops.manifest import Manifest
from llmops.publishing.canary.config import CanaryConfig
from llmops.publishing.config import PublishConfig
from llmops.publishing.releases import Champion
from llmops.settings import Settings
from llmops.training.config import FinetuneConfig
from llmops.tuning.config import TuneConfig

DAY = date(2026, 3, 7)
SYSTEM = "Answer as the shop does."
CONFIG = PublishConfig(name="shop-assistant", max_new_tokens=12)
_SCORE = {"value": 0.5, "low": 0.4, "high": 0.6}
EVALUATION: dict[str, Any] = {
    "models": {
        "candidate": {"perplexity": {"value": 7.5, "low": 7.1, "high": 7.9}, "token_f1": _SCORE},
        "untuned": {"perplexity": {"value": 22.5, "low": 20.0, "high": 25.0}, "token_f1": _SCORE},
    },
    "examples": 7,
    "answered_examples": 4,
}
_TRAINING = {
    "hyperparameters": {"learning_rate": 0.0004, "lora": {"rank": 4, "alpha": 32}},
    "steps": 3,
    "tokens": 1500,
    "validation": {"examples": 1, "first": 2.5, "last": 1.25},
}
_DAILY = (
    ("collect", "raw", 9, 1),
    ("redact", "redacted", 9, 0),
    ("clean", "clean", 8, 1),
    ("annotate", "examples", 7, 0),
)


def make_adapter(model_folder: Path, target: Path, *, changes_answers: bool = True, seed: int = 1) -> None:
    """Write a LoRA adapter with random weights, or one whose update is zero."""
    import torch  # noqa: PLC0415 - heavy, and not needed by every test that uses this module
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415 - likewise
    from transformers import AutoModelForCausalLM  # noqa: PLC0415 - likewise

    torch.manual_seed(seed)
    shape = LoraConfig(
        r=4, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=not changes_answers
    )
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(model_folder), shape)
    model.save_pretrained(target)


def make_lake(home: Path, model: Manifest, database: Path | None = None) -> Settings:
    """A lake below `home` with the base model and nothing else, keys for it, and a copy of an empty MLflow store."""
    settings = Settings(
        environment="development",  # elsewhere each release needs a person's approval
        home=home,
        lake=str(home / "lake"),
        tracking_uri=f"sqlite:///{home}/mlflow.db",
        signing_key=home / "keys/signing.pem",
        trusted_key=home / "keys/trusted.pem",
        log_format="json",
    )
    shutil.copytree(model.uri, f"{settings.lake}/models/tiny")
    signing.create_keys(settings=settings)
    if database is not None:
        shutil.copyfile(database, home / "mlflow.db")
    return settings


def make_decision(
    settings: Settings,
    adapter_folder: Path,
    *,
    approved: bool = True,
    templates: Sequence[str] = (TEMPLATE,),
    training_seed: int = 0,
    champion: Champion | None = None,
) -> Manifest:
    """The artifacts from a day's examples up to the gate's decision; a `training_seed` is an adapter of its own."""
    lake = settings.lake
    model = artifacts.read(f"{lake}/models/tiny", stage="import-model")
    daily: list[Manifest] = []
    for stage, folder, kept, aside in _DAILY:
        config = AnnotateConfig(system=SYSTEM) if stage == "annotate" else StageConfig()
        counts = {"kept": kept, "set_aside": aside}
        daily = [_commit(f"{lake}/{folder}/ds={DAY}", stage, config, daily, {}, counts=counts)]
    parts = {"train": 5, "validation": 1, "test": 1}
    split = _commit(f"{lake}/splits/as_of={DAY}", "split", StageConfig(), daily, {}, day=DAY, counts=parts)
    features = _commit_features(f"{lake}/features/as_of={DAY}", [split, model], templates)
    tuning = _commit(f"{lake}/tuning/as_of={DAY}", "tune", TuneConfig(), [features, model], {})
    names = ("adapter_model.safetensors", "adapter_config.json")
    adapter = _commit(
        f"{lake}/adapters/as_of={DAY}",
        "finetune",
        FinetuneConfig(seed=training_seed),
        [features, model, tuning],
        {
            **{name: (adapter_folder / name).read_bytes() for name in names},
            "training.json": json.dumps(_TRAINING).encode(),
        },
        metrics={"validation_loss": 1.25, "tokens_per_second": perf_counter()},
    )
    compared = [adapter, features, model, *([champion.release] if champion else [])]
    scores = {"evaluation.json": json.dumps(EVALUATION).encode()}
    evaluation = _commit(f"{lake}/evaluations/as_of={DAY}", "evaluate", EvaluateConfig(), compared, scores)
    outcome = {"approved": approved, "reasons": ["better"] if approved else ["perplexity rose", "token F1 fell"]}
    content = {"decision.json": json.dumps(outcome).encode()}
    bounds = GateConfig(min_perplexity_gain=0.01 if approved else 0.9)
    return _commit(f"{lake}/decisions/as_of={DAY}", "gate", bounds, [evaluation], content, day=DAY, sealed_by=settings)


def publish(
    settings: Settings,
    decision: Manifest,
    approval: str | None = None,
    *,
    trial: CanaryConfig | None = None,
    **changes: Any,
) -> Manifest:
    """The decision's release, as `llmops publish` makes it: the champion, or with a `trial` its challenger."""
    from llmops.publishing.stage import publish_release  # noqa: PLC0415 - imports MLflow

    config = CONFIG.model_copy(update={"canary": trial is not None, **changes})
    target, canary = f"{settings.lake}/releases", trial or CanaryConfig()
    return publish_release(decision.uri, target, approval=approval, config=config, canary=canary, settings=settings)


def _commit_features(target: str, inputs: Sequence[Manifest], templates: Sequence[str]) -> Manifest:
    attempt = artifacts.begin(target, stage="materialize", version=1, config=StageConfig(), inputs=inputs)
    if attempt.committed:
        return attempt.committed
    rows = [
        {
            "row_id": f"row-{number}",
            "parents": [f"row-{number}"],
            "source": "faq",
            "event_time": datetime(2026, 3, 7, tzinfo=UTC),
            "part": "train",
            "template": template,
            "tokenizer": "tiny",
            "input_ids": [1, 2],
            "attention_mask": [1, 1],
            "prompt_tokens": 1,
        }
        for number, template in enumerate(templates)
    ]
    return attempt.write_table(pa.Table.from_pylist(rows, schema=schemas.TOKENS), schemas.TOKENS).commit()


def _commit(
    target: str,
    stage: str,
    config: StageConfig,
    inputs: Sequence[Manifest],
    files: Mapping[str, bytes],
    *,
    day: date | None = None,
    counts: dict[str, int] | None = None,
    metrics: dict[str, float] | None = None,
    sealed_by: Settings | None = None,
) -> Manifest:
    attempt = artifacts.begin(target, stage=stage, version=1, config=config, inputs=inputs, day=day)
    if attempt.committed:
        return attempt.committed
    for name, data in files.items():
        attempt.write_bytes(name, data)
    if sealed_by is None:
        return attempt.commit(counts=counts, metrics=metrics)
    key = sealed_by.signing_key
    return attempt.commit(seals=seals.behind(inputs), sign=lambda manifest: signing.sign_manifest(manifest, key))
