"""`llmops make-screening-corpus` and `llmops train-screen`: the classifier of the injection screen, its texts."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from llmops import artifacts, digests, schemas
from llmops.errors import TrainingError
from llmops.manifest import Manifest
from llmops.screening import corpus as texts
from llmops.screening import fitting
from llmops.screening.config import ScreeningCorpusConfig, TrainScreenConfig

CORPUS, CORPUS_VERSION = "make-screening-corpus", 1
STAGE, VERSION = "train-screen", 1
WEIGHTS, REPORT = "injection.npz", "report.json"


def make_screening_corpus(target: str, *, config: ScreeningCorpusConfig, public: Path | None = None) -> Manifest:
    """Labelled texts (`schemas.SCREENING`) in `target`: generated, and of the public sets in the folder `public`.

    Equal texts are kept once. What was read counts by its content, so another folder with the same sets is the same.
    """
    read = list(texts.public(public)) if public else []
    read += list(texts.documentation()) if config.has_documentation else []
    attempt = artifacts.begin(
        target,
        stage=CORPUS,
        version=CORPUS_VERSION,
        config=config,
        depends_on={"texts": digests.of_json([list(item) for item in read]), "grammars": texts.grammars_digest()},
    )
    if attempt.committed:
        return attempt.committed
    rows: dict[str, dict[str, Any]] = {}
    for item in (*_generated(config), *read):
        if texts.is_long_enough(item):
            row_id = digests.short_id(item.text)
            rows.setdefault(row_id, {**item._asdict(), "row_id": row_id, "parents": []})
    table = pa.Table.from_pylist(list(rows.values()), schema=schemas.SCREENING)
    attempt.write_table(table, schemas.SCREENING)
    return attempt.commit(counts={"attacks": sum(row["is_attack"] for row in rows.values())})


def train_screen(corpus: str, target: str, *, config: TrainScreenConfig) -> Manifest:
    """Train the injection screen's classifier on `corpus`: `injection.npz` and `report.json` in `target`.

    To use the weights, put the file in the place of `llmops/guards/weights/injection.npz`; the screen reads no lake.
    Raises TrainingError when the corpus has too few texts of either kind.
    """
    source = artifacts.read(corpus, stage=CORPUS)
    attempt = artifacts.begin(target, stage=STAGE, version=VERSION, config=config, inputs=[source])
    if attempt.committed:
        return attempt.committed
    rows = sorted(artifacts.read_table(source).to_pylist(), key=lambda row: row["row_id"])
    pieces = [(row, piece) for row in rows for piece in fitting.windows(row["text"], is_attack=row["is_attack"])]
    labels = np.array([row["is_attack"] for row, _ in pieces], bool)
    for kind in (True, False):
        if len({row["group"] for row, _ in pieces if row["is_attack"] is kind}) < config.folds:
            raise TrainingError(
                f"{corpus}: fewer than {config.folds} groups of {'attacks' if kind else 'benign texts'}; "
                "make a larger corpus or train with fewer folds"
            )
    is_hard = np.array([row["source"].startswith("benign:") for row, _ in pieces], bool)
    groups = [row["group"] for row, _ in pieces]
    fitted = fitting.fit([piece for _, piece in pieces], labels, is_hard, groups, config)
    report = _report([row for row, _ in pieces], fitted)
    attempt.write_bytes(WEIGHTS, fitted.weights.to_bytes())
    attempt.write_bytes(REPORT, json.dumps(report, indent=1, sort_keys=True).encode())
    flagged = fitted.is_flagged
    return attempt.commit(
        counts={"texts": len(pieces), "attacks": int(labels.sum())},
        metrics={
            "recall_on_unseen_templates": float(flagged[labels].mean()),
            "false_positive_rate": float(flagged[~labels & ~is_hard].mean()),
            "false_positive_rate_of_hard": float(flagged[is_hard].mean()),
        },
    )


def _generated(config: ScreeningCorpusConfig) -> Iterator[texts.Text]:
    yield from texts.generated("attacks", config.attacks, is_attack=True, seed=config.seed)
    yield from texts.generated(
        "attacks_other_languages", config.attacks_other_languages, is_attack=True, seed=config.seed
    )
    yield from texts.generated("benign", config.benign, is_attack=False, seed=config.seed)


def _report(rows: list[dict[str, Any]], fitted: fitting.Fitted) -> dict[str, Any]:
    """Share flagged by source and label, each text by a model that saw none of its group."""
    flagged: dict[str, list[bool]] = defaultdict(list)
    for row, is_flagged in zip(rows, fitted.is_flagged, strict=True):
        kind = "attacks" if row["is_attack"] else "benign"
        flagged[f"{kind}/{row['source']}"].append(bool(is_flagged))
    return {
        "threshold": fitted.weights.threshold,
        "rules": fitted.weights.rules,
        "bias": fitted.weights.bias,
        "flagged": {name: [sum(found), len(found)] for name, found in flagged.items()},
    }
