"""`llmops evaluate`: compares the candidate with the untuned model and with the champion, on held-out examples."""

import math
from typing import Annotated, Any

from cyclopts import Parameter

from llmops import artifacts, digests
from llmops.errors import CorruptArtifactError, Refused, TrainingError
from llmops.evaluation.config import EvaluateConfig
from llmops.manifest import Manifest
from llmops.publishing.releases import Champion, read_champion
from llmops.settings import Settings
from llmops.tokenization.fingerprint import fingerprint_tokenizer
from llmops.training.threads import share_cores


def evaluate_candidate(
    adapter: str,
    features: str,
    model: str,
    target: str,
    *,
    config: EvaluateConfig,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Write evaluation.json (every figure of each model, with 95 % intervals, and by slice), report.html, scores.json.

    report.html shows the figures to a reviewer, in one file that needs no other. scores.json holds every example's
    numbers, for paired tests; no text is kept. `manifest.metrics` holds the figures as MODEL_FIGURE,
    such as candidate_perplexity. The champion is scored on its own base model. Raises Refused when the candidate is
    champion already, TrainingError when there is nothing to compare on or the models cannot be compared.
    """
    candidate = artifacts.read(adapter, "finetune")
    tokens = artifacts.read(features, "materialize")
    base = artifacts.read(model, "import-model")
    if base.digest not in {item.digest for item in candidate.inputs}:
        raise TrainingError(f"{adapter}: was trained on another base model than {model}; evaluate it on its own")
    champion = read_champion(settings.lake, settings.trusted_key)
    if champion and champion.record.adapter == candidate.digest:
        raise Refused(f"the candidate {adapter} already is the champion {champion.record.version}")
    attempt = artifacts.begin(
        target,
        stage="evaluate",
        version=2,
        config=config,
        inputs=[candidate, tokens, base, *([champion.release] if champion else [])],
        day=tokens.day,
    )
    if attempt.committed:
        return attempt.committed

    share_cores()
    # torch, transformers and peft take 10 CPU seconds to import: a run that finds its work done does not pay them.
    from llmops.evaluation import report  # noqa: PLC0415 - imports matplotlib
    from llmops.evaluation.run import Tuned, evaluate  # noqa: PLC0415 - see above

    compared = Tuned(champion.release, _base_of(champion, base, settings.lake)) if champion else None
    figures, scores = evaluate(tokens, Tuned(candidate, base), compared, config)
    attempt.write_bytes("evaluation.json", digests.canonical_json(figures))
    subjects = {"candidate": candidate.digest, "untuned": base.digest}
    if champion:
        subjects["champion"] = champion.release.digest
    attempt.write_bytes("report.html", report.render(figures, subjects, tokens.day).encode())
    attempt.write_bytes("scores.json", digests.canonical_json(scores))
    return attempt.commit(metrics=_metrics(figures["models"]))


def _base_of(champion: Champion, base: Manifest, lake: str) -> Manifest:
    """The base model of the champion, once it is known to read the same token ids."""
    record = champion.record.base
    if record.digest == base.digest:
        return base
    own = artifacts.read(artifacts.join(lake, record.path), "import-model")
    if own.digest != record.digest:
        raise CorruptArtifactError(
            f"{own.uri}: replaced since release {champion.record.version} was made; import its base model again"
        )
    if fingerprint_tokenizer(own.files) != fingerprint_tokenizer(base.files):
        raise TrainingError(
            f"the champion {champion.record.version} has another tokenizer than {base.uri}: perplexities for each "
            "token cannot be compared; train this base model in a lake of its own (LLMOPS_LAKE)"
        )
    return own


def _metrics(models: dict[str, Any]) -> dict[str, float]:
    """The finite figures: a manifest is JSON, which knows no others."""
    named = {f"{name}_{figure}": item["value"] for name, found in models.items() for figure, item in found.items()}
    return {name: value for name, value in named.items() if math.isfinite(value)}
