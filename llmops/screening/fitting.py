"""From labelled texts to weights: logistic regression over the n-grams that the screen reads."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from llmops.guards import classifier, injection, ngrams, views
from llmops.guards.classifier import Weights
from llmops.screening.config import TrainScreenConfig

_LONG, _STEP = 48, 40
"""Words of a piece of a long benign text, and from one to the next: the screen reads windows of that size."""
_STEPS = 127  # of an int8
_SIGNIFICANT = 0.9995  # share of weights that the scale must hold; the few beyond are clipped

Labels = npt.NDArray[np.bool_]
Logits = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights, and what they would flag of texts that they have not seen."""

    weights: Weights
    is_flagged: Labels
    """bool [texts]: whether it is flagged by a model that saw none of its group."""


def fit(
    texts: Sequence[str], labels: Labels, is_hard: Labels, groups: Sequence[str], config: TrainScreenConfig
) -> Fitted:
    """Train on all texts; set the threshold and the worth of the rules by models that have not seen what they score.

    `labels` says which are attacks, `is_hard` which were made to look like one and are none.
    """
    folded = [views.folded(text) for text in texts]
    counted = matrix(folded, config.buckets_log2)
    is_common = np.asarray((counted > 0).sum(0)).ravel() >= config.minimum_texts
    kept = counted @ sp.diags(is_common.astype(np.float64))
    unseen = np.zeros(len(texts))
    for seen, held_out in GroupKFold(config.folds).split(kept, labels, groups):
        model = _quantised(_regression(kept[seen], labels[seen], config))
        unseen[held_out] = [classifier.evidence(folded[place], model) for place in held_out]
    told = np.array([injection.rules_evidence(text) for text in texts])
    rules = _worth(unseen, told, labels)
    total = unseen + rules * told
    threshold = max(
        np.quantile(total[~labels & ~is_hard], 1 - config.false_positive_rate),
        np.quantile(total[~labels & is_hard], 1 - config.false_positive_rate_of_hard),
    )
    weights = _quantised(_regression(kept, labels, config))
    is_flagged = (total >= threshold) | (told >= injection.SURE)
    return Fitted(replace(weights, rules=rules, threshold=float(threshold)), is_flagged)


def windows(text: str, *, is_attack: bool) -> list[str]:
    """A long benign text in overlapping pieces, each benign; an attack stays whole, since nobody says where it is."""
    words = re.findall(r"\S+\s*", text)
    if is_attack or len(words) <= _LONG + _STEP // 2:
        return [text]
    return ["".join(words[start : start + _LONG]) for start in range(0, len(words), _STEP)]


def matrix(folded: Sequence[str], buckets_log2: int) -> sp.csr_matrix:
    """float64 [texts, buckets]: how often each n-gram stands in a text, over the root of the number of its n-grams."""
    columns, values, ends = [], [], [0]
    for text in folded:
        found = [ngrams.features(piece, buckets_log2) for piece in ngrams.pieces(text)]
        hashes = [part for item in found for part in (item.words.ravel(), item.characters)]
        buckets, counts = np.unique(np.concatenate([np.zeros(0, np.uint32), *hashes]), return_counts=True)
        columns.append(buckets)
        values.append(counts / np.sqrt(max(1, counts.sum())))
        ends.append(ends[-1] + len(buckets))
    shape = (len(folded), 2**buckets_log2)
    return sp.csr_matrix((np.concatenate(values), np.concatenate(columns), np.array(ends)), shape=shape)


def _regression(
    counted: sp.csr_matrix, labels: Labels, config: TrainScreenConfig
) -> tuple[npt.NDArray[np.float64], float]:
    fitted = LogisticRegression(C=config.inverse_regularisation, solver="liblinear").fit(counted, labels)
    return fitted.coef_[0], float(fitted.intercept_[0])


def _quantised(trained: tuple[npt.NDArray[np.float64], float]) -> Weights:
    weights, bias = trained
    scale = float(np.quantile(np.abs(weights[weights != 0]), _SIGNIFICANT)) / _STEPS
    steps = np.clip(np.rint(weights / scale), -_STEPS, _STEPS).astype(np.int8)
    return Weights(steps, scale=scale, bias=bias, rules=0.0, threshold=0.0)


def _worth(unseen: Logits, told: Logits, labels: Labels) -> float:
    """How many logits of the classifier's one of the rules is worth."""
    both = LogisticRegression(C=100.0).fit(np.stack([unseen, told], axis=1), labels)
    return float(max(0.0, both.coef_[0][1] / both.coef_[0][0]))
