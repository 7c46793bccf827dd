"""`llmops metrics`: any metric of the evaluation on JSON lines of predictions and references."""

import difflib
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from llmops.errors import ConfigurationError
from llmops.evaluation import label_scores, text_scores
from llmops.evaluation.label_scores import Statistic
from llmops.evaluation.reading_ease import flesch_reading_ease

Record = Mapping[str, Any]
_Prepare = Callable[[Sequence[Record]], tuple[Statistic, int]]
"""From records to a metric over any of them, and how many of them it is about."""
_ALIASES = {
    "f1": ("f1_micro", "f1_macro", "f1_weighted"),
    "rouge": ("rouge_1", "rouge_2", "rouge_l"),
    "rouge1": ("rouge_1",),
    "rouge2": ("rouge_2",),
    "rougel": ("rouge_l",),
    "hamming": ("hamming_loss",),
    "flesch": ("flesch_reading_ease",),
    "reading_ease": ("flesch_reading_ease",),
}


def compute_metrics(
    *names: str, file: Path | None = None, by: str | None = None, k: int = 1, resamples: int = 1_000, seed: int = 0
) -> str:
    """Metrics of predictions with 95 % intervals, as one JSON object: value, low, high and n by metric.

    Intervals are percentiles over bootstrap samples of the lines. BLEU and chrF run from 0 to 100, reading ease and
    perplexity are on scales of their own, all others run from 0 to 1. Raises ConfigurationError for an unknown metric
    and for a line that lacks a field.

    Parameters
    ----------
    names
        Metrics, each with what it reads of a line; other fields are ignored.
        accuracy, f1 (f1_micro, f1_macro, f1_weighted), hamming_loss: `prediction` and `reference` are a label each, or
        a list of labels each (lists of equal length that hold only 0 and 1 count as indicator vectors).
        precision_at_k, precision@5: `prediction` is a ranking, best first, `reference` a list of what is relevant.
        bleu, chrf, rouge (rouge_1, rouge_2, rouge_l), token_f1, exact_match: `prediction` is a text, `reference` a text
        or a list of texts, of which the nearest counts (bleu looks into all of them). chrf is a mean over lines.
        flesch_reading_ease: `prediction` is a text.
        perplexity: `loss` (nats, summed) and `tokens`; or `logprobs`, natural logarithms of the tokens' probabilities.
    file
        JSON lines, one object a line; standard input if not given.
    by
        Field whose values group the lines; each group's figures stand under `by`.
    k
        Places of the ranking that precision_at_k looks at.
    resamples
        Bootstrap samples behind each interval.
    seed
        Seed of the bootstrap.
    """
    chosen = [found for name in names for found in _resolve(name, k)]
    if not chosen:
        raise ConfigurationError(f"no metric is named; known ones: {', '.join(_KNOWN)}")
    if resamples < 1:
        raise ConfigurationError(f"{resamples} resamples give no interval; take 1,000")
    if file is not None and not file.is_file():
        raise ConfigurationError(f"{file}: no such file")
    try:
        text = file.read_text(encoding="utf-8") if file else sys.stdin.read()
    except UnicodeDecodeError as error:
        raise ConfigurationError("the lines are not UTF-8; convert them first") from error
    records = parse_records(text)
    measure = partial(_measure, chosen=dict(chosen), resamples=resamples, seed=seed)
    figures = measure(records)
    if by is not None:
        for group, members in _group(records, by).items():
            for name, figure in measure(members).items():
                figures[name].setdefault("by", {})[group] = figure
    return json.dumps(figures, indent=2, ensure_ascii=False)


def parse_records(text: str) -> list[Record]:
    """The objects of JSON lines. Raises ConfigurationError with the number of the first line that is none."""
    records: list[Record] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ConfigurationError(f"line {number} is no JSON: {error.msg}") from error
        if not isinstance(record, dict):
            raise ConfigurationError(f"line {number} is no JSON object")
        records.append({**record, _LINE: number})
    if not records:
        raise ConfigurationError("there are no lines to measure")
    return records


_LINE = "\n"  # a key that no field of a sane file has; holds the line's number


def _measure(
    records: Sequence[Record], *, chosen: Mapping[str, _Prepare], resamples: int, seed: int
) -> dict[str, dict[str, Any]]:
    return {name: _estimate(*prepare(records), resamples=resamples, seed=seed) for name, prepare in chosen.items()}


def _estimate(statistic: Statistic, examples: int, *, resamples: int, seed: int) -> dict[str, Any]:
    draws = np.random.default_rng(seed)
    samples = [statistic(draws.integers(examples, size=examples)) for _ in range(resamples)]
    low, high = np.percentile(samples, [2.5, 97.5])
    return {"value": statistic(np.arange(examples)), "low": float(low), "high": float(high), "n": examples}


def _labels(
    score: Callable[[Sequence[Any], Sequence[Any]], Statistic], records: Sequence[Record]
) -> tuple[Statistic, int]:
    expected, found = ([_field(record, name) for record in records] for name in ("reference", "prediction"))
    try:
        return score(expected, found), len(records)
    except ValueError as error:
        raise ConfigurationError(f"fields `prediction` and `reference`: {error}") from error


def _nearest(score: Callable[[str, str], float], record: Record) -> float:
    return max(score(reference, _text(record)) for reference in _references(record))


def _means(value: Callable[[Record], float | None], records: Sequence[Record]) -> tuple[Statistic, int]:
    """The mean over records that have a value."""
    found = [number for record in records if (number := value(record)) is not None]
    if not found:
        raise ConfigurationError("no line has a text with words")
    values = np.array(found)
    return lambda at: float(values[at].mean()), len(values)


def _bleu(records: Sequence[Record]) -> tuple[Statistic, int]:
    counts = np.array([text_scores.bleu_counts(_references(record), _text(record)) for record in records])
    return lambda at: text_scores.bleu_of_counts(counts[at].sum(axis=0).tolist()), len(records)


def _perplexity(records: Sequence[Record]) -> tuple[Statistic, int]:
    sums = np.array([_loss(record) for record in records])
    return lambda at: float(np.exp(sums[at, 0].sum() / sums[at, 1].sum())), len(records)


def _loss(record: Record) -> tuple[float, float]:
    """Loss in nats and number of tokens of a record."""
    given = record["logprobs"] if "logprobs" in record else [_field(record, "loss"), _field(record, "tokens")]
    if not isinstance(given, list) or not given or not all(isinstance(item, int | float) for item in given):
        raise ConfigurationError(f"line {record[_LINE]}: perplexity is of numbers: `logprobs`, or `loss` and `tokens`")
    loss, tokens = (-sum(given), len(given)) if "logprobs" in record else given
    if tokens <= 0:
        raise ConfigurationError(f"line {record[_LINE]}: {tokens} tokens have no perplexity")
    return float(loss), float(tokens)


def _precision(places: int) -> _Prepare:
    def of_record(record: Record) -> float:
        ranked, relevant = (_items(record, name) for name in ("prediction", "reference"))
        return label_scores.precision_at(places, ranked, relevant)

    return partial(_means, of_record)


_METRICS: Mapping[str, _Prepare] = {
    "accuracy": partial(_labels, label_scores.accuracy),
    "f1_micro": partial(_labels, label_scores.f1("micro")),
    "f1_macro": partial(_labels, label_scores.f1("macro")),
    "f1_weighted": partial(_labels, label_scores.f1("weighted")),
    "hamming_loss": partial(_labels, label_scores.hamming),
    "bleu": _bleu,
    "chrf": partial(_means, lambda record: text_scores.chrf(_references(record), _text(record))),
    "rouge_1": partial(_means, partial(_nearest, lambda *texts: text_scores.rouge(*texts)["rouge_1"])),
    "rouge_2": partial(_means, partial(_nearest, lambda *texts: text_scores.rouge(*texts)["rouge_2"])),
    "rouge_l": partial(_means, partial(_nearest, text_scores.rouge_l)),
    "token_f1": partial(_means, partial(_nearest, text_scores.token_f1)),
    "exact_match": partial(_means, partial(_nearest, text_scores.exact_match)),
    "flesch_reading_ease": partial(_means, lambda record: flesch_reading_ease(_text(record))),
    "perplexity": _perplexity,
}
_KNOWN = (*_METRICS, "precision_at_k", "f1", "rouge")


def _resolve(name: str, k: int) -> list[tuple[str, _Prepare]]:
    """The metrics that a name stands for; spelling is forgiven, such as ROUGE-L and precision@5."""
    plain = re.sub(r"[-\s]+", "_", name.strip().lower())
    if ranking := re.fullmatch(r"(?:precision|p)_?(?:@|at_)(k|\d+)", plain):
        places = k if ranking[1] == "k" else int(ranking[1])
        if places < 1:
            raise ConfigurationError(f"{name}: a ranking is looked at from its first place on; take at least 1")
        return [(f"precision_at_{places}", _precision(places))]
    found = [plain] if plain in _METRICS else _ALIASES.get(plain)
    if not found:
        close = difflib.get_close_matches(plain, _KNOWN, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"known ones: {', '.join(_KNOWN)}"
        raise ConfigurationError(f"{name}: no such metric; {hint}")
    return [(item, _METRICS[item]) for item in found]


def _group(records: Sequence[Record], by: str) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(str(_field(record, by)), []).append(record)
    return dict(sorted(groups.items()))


def _field(record: Record, name: str) -> Any:
    if name not in record:
        raise ConfigurationError(f"line {record[_LINE]} lacks the field `{name}`; see `llmops metrics --help`")
    return record[name]


def _text(record: Record) -> str:
    found = _field(record, "prediction")
    if not isinstance(found, str):
        raise ConfigurationError(f"line {record[_LINE]}: `prediction` is to be a text for this metric")
    return found


def _references(record: Record) -> list[str]:
    found = _field(record, "reference")
    texts = found if isinstance(found, list) else [found]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ConfigurationError(
            f"line {record[_LINE]}: `reference` is to be a text or a list of texts for this metric"
        )
    return texts


def _items(record: Record, name: str) -> list[str]:
    found = _field(record, name)
    if not isinstance(found, list):
        raise ConfigurationError(f"line {record[_LINE]}: `{name}` is to be a list for this metric")
    return [json.dumps(item) for item in found]
