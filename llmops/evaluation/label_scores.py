"""Metrics of labels by scikit-learn (one label or a set of labels for each record), and precision at K of rankings."""

import json
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, hamming_loss
from sklearn.preprocessing import LabelEncoder, MultiLabelBinarizer

Statistic = Callable[[NDArray[np.int64]], float]
"""From the places of records, with repetitions, to the metric over them."""


def accuracy(expected: Sequence[Any], found: Sequence[Any]) -> Statistic:
    """Share of records whose label, or whole set of labels, is right."""
    truth, guess = encode_labels(expected, found)
    return lambda at: float(accuracy_score(truth[at], guess[at]))


def f1(average: str) -> Callable[[Sequence[Any], Sequence[Any]], Statistic]:
    """F1 by `average`: micro, macro or weighted; 0 for a label that is neither expected nor found."""

    def prepare(expected: Sequence[Any], found: Sequence[Any]) -> Statistic:
        truth, guess = encode_labels(expected, found)
        # All labels, also those that a sample of records lacks: else macro F1 would be over other ones each time.
        labels = range(truth.shape[1]) if truth.ndim == 2 else range(int(max(truth.max(), guess.max())) + 1)
        settings = {"labels": list(labels), "average": average, "zero_division": 0}
        return lambda at: float(f1_score(truth[at], guess[at], **settings))

    return prepare


def hamming(expected: Sequence[Any], found: Sequence[Any]) -> Statistic:
    """Share of labels that are wrong: of single labels those that differ, of sets those in one set only."""
    truth, guess = encode_labels(expected, found)
    return lambda at: float(hamming_loss(truth[at], guess[at]))


def precision_at(places: int, ranked: Sequence[Hashable], relevant: Sequence[Hashable]) -> float:
    """Share of the first `places` of a ranking that is relevant; a shorter ranking is filled up with misses."""
    return len(set(ranked[:places]) & set(relevant)) / places


def encode_labels(expected: Sequence[Any], found: Sequence[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels as numbers, int64 [records], or sets of labels as indicators, int64 [records, labels].

    A record's labels are a list or a single value, alike in all records, else ValueError. Lists of equal length that
    hold only 0 and 1 are indicators already.
    """
    both = [*expected, *found]
    if not any(isinstance(item, list) for item in both):
        numbers = LabelEncoder().fit_transform([json.dumps(item) for item in both])
    elif not all(isinstance(item, list) for item in both):
        raise ValueError("some records hold a list of labels and some a single one")
    elif len({len(item) for item in both}) == 1 and all(label in {0, 1} for item in both for label in item):
        numbers = np.array(both, dtype=np.int64)
    else:
        numbers = MultiLabelBinarizer().fit_transform([[json.dumps(label) for label in item] for item in both])
    return numbers[: len(expected)], numbers[len(expected) :]
