"""Scores the candidate, the untuned model and the champion on the same examples of the test part."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from llmops import artifacts
from llmops.errors import TrainingError
from llmops.evaluation.config import EvaluateConfig
from llmops.evaluation.generation import generate_answers
from llmops.evaluation.summary import Figures, Score, summarise
from llmops.evaluation.text_scores import rouge_l, token_f1
from llmops.manifest import Manifest
from llmops.training.base import attach_adapter, load_full, load_tokenizer
from llmops.training.examples import Example, check_tokenizer, read_examples
from llmops.training.loss import measure_losses

log = structlog.get_logger()


@dataclass(frozen=True)
class Tuned:
    """An adapter with the base model it belongs to."""

    adapter: Manifest
    base: Manifest


def evaluate(
    features: Manifest, candidate: Tuned, champion: Tuned | None, config: EvaluateConfig
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """The figures of every model, and the numbers of every example behind them."""
    check_tokenizer(features, candidate.base)
    examples = read_examples(features, "test", config.max_examples)
    if not examples:
        raise TrainingError(
            f"{features.uri}: no test example to compare models on; raise split.test_share or collect more days"
        )
    folder = artifacts.local_folder(candidate.base)
    tokenizer = load_tokenizer(folder)
    figures: dict[str, Figures] = {}
    scores: dict[str, list[dict[str, Any]]] = {}
    for name, model in _load_models(folder, candidate, champion):
        scored = score_examples(model, tokenizer, examples, config)
        figures[name] = summarise(scored, resamples=config.resamples, seed=config.seed)
        scores[name] = [asdict(score) for score in scored]
        log.info(
            "model.scored", model=name, **{key: round(figure["value"], 4) for key, figure in figures[name].items()}
        )
    answered = min(config.generated_examples, len(examples))
    return {"models": figures, "examples": len(examples), "answered_examples": answered}, scores


def score_examples(model: Any, tokenizer: Any, examples: list[Example], config: EvaluateConfig) -> list[Score]:
    """Every example's loss and, for the first `generated_examples`, how close the model's own answer is."""
    losses = measure_losses(model, examples)
    answered = examples[: config.generated_examples]
    answers = generate_answers(
        model,
        tokenizer,
        [example.prompt for example in answered],
        max_new_tokens=config.max_new_tokens,
        batch_size=config.batch_size,
    )
    references = [tokenizer.decode(example.answer, skip_special_tokens=True) for example in answered]
    closeness = [
        {"token_f1": token_f1(reference, answer), "rouge_l": rouge_l(reference, answer)}
        for reference, answer in zip(references, answers, strict=True)
    ]
    unanswered: list[dict[str, float]] = [{}] * (len(examples) - len(answered))
    return [
        Score(example.row_id, loss, example.tokens - example.prompt_tokens, **close)
        for example, loss, close in zip(examples, losses, closeness + unanswered, strict=True)
    ]


def _load_models(base_folder: Path, candidate: Tuned, champion: Tuned | None) -> Iterator[tuple[str, Any]]:
    """Each model by name, one after the other on one copy of the base, as long as they share it."""
    base = load_full(base_folder)
    yield "untuned", base
    model = attach_adapter(base, artifacts.local_folder(candidate.adapter), name="candidate")
    yield "candidate", model
    if champion is None:
        return
    folder = artifacts.local_folder(champion.adapter)
    if champion.base.digest == candidate.base.digest:
        model.load_adapter(folder, adapter_name="champion")
        model.set_adapter("champion")
        yield "champion", model.eval()
    else:
        yield "champion", attach_adapter(load_full(artifacts.local_folder(champion.base)), folder, name="champion")
