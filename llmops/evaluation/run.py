"""Scores the candidate, the untuned model and the champion on the same examples of the test part."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import structlog

from llmops import artifacts
from llmops.errors import TrainingError
from llmops.evaluation.answers import score_answer
from llmops.evaluation.choice import rank_right_answers
from llmops.evaluation.config import EvaluateConfig
from llmops.evaluation.generation import generate_answers
from llmops.evaluation.slices import group_examples
from llmops.evaluation.summary import AnswerScore, Figures, Score, summarise, summarise_slices
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
    groups = group_examples(features, examples, tokenizer)
    figures: dict[str, Figures] = {}
    scores: dict[str, list[Score]] = {}
    for name, model in _load_models(folder, candidate, champion):
        scores[name] = score_examples(model, tokenizer, examples, groups, config)
        figures[name] = summarise(scores[name], resamples=config.resamples, seed=config.seed)
        log.info(
            "model.scored", model=name, **{key: round(figure["value"], 4) for key, figure in figures[name].items()}
        )
    references = [score_answer(text, text) for text in _references(tokenizer, examples[: config.generated_examples])]
    written = [Score("", 0.0, 1, reading_ease=own.reading_ease, words=own.words) for own in references]
    found = {
        "models": figures,
        "slices": summarise_slices(scores, resamples=config.resamples, seed=config.seed),
        "references": summarise(written, resamples=config.resamples, seed=config.seed, names=("reading_ease", "words")),
        "examples": len(examples),
        "answered_examples": min(config.generated_examples, len(examples)),
    }
    return found, {name: [_as_row(score) for score in rows] for name, rows in scores.items()}


def score_examples(
    model: Any, tokenizer: Any, examples: list[Example], groups: list[dict[str, str]], config: EvaluateConfig
) -> list[Score]:
    """Every example's loss; for the first `generated_examples`, how good the model's own answer is; for the first
    `choice_examples`, which place the right answer takes among others.
    """
    losses = measure_losses(model, examples)
    answered = examples[: config.generated_examples]
    answers = generate_answers(
        model,
        tokenizer,
        [example.prompt for example in answered],
        max_new_tokens=config.max_new_tokens,
        batch_size=config.batch_size,
    )
    quality: list[AnswerScore | None] = [
        score_answer(reference, answer)
        for reference, answer in zip(_references(tokenizer, answered), answers, strict=True)
    ]
    ranks: list[int | None] = [
        *rank_right_answers(
            model, examples, losses, asked=config.choice_examples, choices=config.choices, seed=config.seed
        )
    ]
    return [
        Score(
            example.row_id,
            loss,
            example.tokens - example.prompt_tokens,
            choice_rank=rank,
            slices=group,
            **(vars(close) if close else {}),
        )
        for example, loss, group, close, rank in zip_longest(examples, losses, groups, quality, ranks)
    ]


def _references(tokenizer: Any, examples: list[Example]) -> list[str]:
    return [tokenizer.decode(example.answer, skip_special_tokens=True) for example in examples]


def _as_row(score: Score) -> dict[str, Any]:
    return {name: value for name, value in asdict(score).items() if value is not None}


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
