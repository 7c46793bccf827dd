"""The model card: what a release is and rests on, in Markdown; equal lineage gives equal text.

Timings stay out of it, also those in the adapter's metrics.
"""

import json
from collections.abc import Mapping
from typing import Any

from llmops import artifacts
from llmops.manifest import Manifest
from llmops.publishing.lineage import DAILY_STAGES, Lineage
from llmops.publishing.releases import ReleaseRecord


def render(record: ReleaseRecord, lineage: Lineage) -> str:
    """The text of README.md."""
    sections = [
        f"# {record.version}",
        "A LoRA adapter that answers customers' questions, trained with QLoRA on a company's own support data.",
        "## What it is",
        _list(
            {
                "Base model": f"`{record.base.path}`, digest `{record.base.digest[:12]}`",
                "Licence of the base model": record.base.licence,
                "Trained up to": str(record.as_of),
                "Prompt template": f"`{record.template}`, rendered by the tokenizer's chat template",
                "System message": f"“{record.system}”",
                "Answers by default": f"at most {record.max_new_tokens} tokens, temperature {record.temperature:g}",
                **_training(lineage.adapter),
            }
        ),
        "## Data",
        _days(lineage),
        f"Examples by part: {_parts(lineage.split)}. Training saw the first only, the second chose its settings.",
        "## Scores on the held-out test part",
        f"Scored on {record.scores['examples']} examples, {record.scores['answered_examples']} of them answered in "
        "full; 95 % intervals in brackets.",
        _scores(record.scores),
        "## Limits",
        _LIMITS,
        "## Provenance",
        _list(
            {
                name: f"`{manifest.digest}`"
                for name, manifest in (
                    ("Decision", lineage.decision),
                    ("Evaluation", lineage.evaluation),
                    ("Adapter", lineage.adapter),
                    ("Training set", lineage.features),
                    ("Split", lineage.split),
                )
            }
        ),
        "## Dossier",
        _DOSSIER,
    ]
    return "\n\n".join(sections) + "\n"


_LIMITS = "\n".join(
    [
        "- It may state things that are wrong, and it knows nothing after the day it was trained up to.",
        "- It answers in the languages and about the subjects of its training data; elsewhere it is the base model.",
        "- Instructions hidden in a prompt or context can change its answers; nothing it says should be executed.",
        "- Personal data was removed by patterns before training; what no pattern matches may remain.",
        "- The base model's own licence and limits apply.",
    ]
)


_DOSSIER = "\n".join(
    [
        "Beside this card, under the same signature:",
        "",
        "- `decision.json` and `evaluation.json`: why it was released; `dossier/reports/`: all that was decided on.",
        "- `dossier/approval.json`: who approved it and when, where a person had to.",
        "- `dossier/data_card.md` (and `.json`): sources, licences, rows kept and set aside, what was redacted.",
        "- `dossier/bom.cdx.json`: base model, adapter, data and software with versions and licences (CycloneDX 1.6).",
        "- `dossier/lineage.json`: the digest of every artifact behind it.",
    ]
)


def _scores(scores: Mapping[str, Any]) -> str:
    """One row per metric and one column per model, each with its 95 % interval."""
    models: Mapping[str, Any] = {name: found for name, found in scores["models"].items() if found}
    metrics = list(dict.fromkeys(metric for found in models.values() for metric in found))
    rows = [[metric, *(_interval(found.get(metric)) for found in models.values())] for metric in metrics]
    return _table(["metric", *models], rows)


def _interval(score: Mapping[str, float] | None) -> str:
    """Empty where the metric was not measured."""
    if score is None:
        return ""
    return f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"


def _days(lineage: Lineage) -> str:
    """Rows that each daily stage kept and set aside, by day."""
    days: dict[str, dict[str, str]] = {}
    for item in lineage.days:
        cell = f"{item.counts['kept']} (−{item.counts['set_aside']})"
        days.setdefault(artifacts.day_of(item.uri).isoformat(), {})[item.stage] = cell
    rows = [[day, *(cells.get(stage, "") for stage in DAILY_STAGES)] for day, cells in days.items()]
    return "Rows kept (and set aside) by day:\n\n" + _table(["day", *DAILY_STAGES], rows)


def _parts(split: Manifest) -> str:
    found = (f"{split.counts[part]} {part}" for part in ("train", "validation", "test") if part in split.counts)
    return ", ".join(found)


def _training(adapter: Manifest) -> dict[str, str]:
    report = json.loads(artifacts.read_named(adapter, "training.json"))
    chosen, losses = report["hyperparameters"], report["validation"]
    lora = f"rank {chosen['lora']['rank']}, alpha {chosen['lora']['alpha']}, on all linear layers"
    rate = f"learning rate {chosen['learning_rate']:.3g}"
    figures = {
        "Adapter": f"LoRA, {lora}, trained on the 4-bit (NF4) base model",
        "Training": f"{report['steps']} steps, {report['tokens']:,} tokens, {rate}",
    }
    if losses["first"] is not None:
        figures["Validation loss"] = f"{losses['first']:.3f} before, {losses['last']:.3f} after"
    return figures


def _list(items: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in items.items())


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
