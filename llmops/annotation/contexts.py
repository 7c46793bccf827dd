"""Which piece of knowledge belongs to which question: by a shared key, else by shared words."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

_WORD = r"(?u)\b\w+\b"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """A clean row that holds a text and no question."""

    row_id: str
    text: str
    keys: frozenset[str]
    subject_id: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """A clean row that holds a question and its answer."""

    row_id: str
    text: str
    keys: frozenset[str]
    subject_id: str | None


def match(questions: Sequence[Question], knowledge: Sequence[Knowledge], threshold: float) -> dict[str, Knowledge]:
    """The best piece of knowledge for each question that has one, by the question's row id.

    A piece that shares a key with the question needs no similar words; any other needs a TF-IDF cosine of at least
    `threshold`. What is about a person goes to that person's own questions alone. Equal scores: the smaller row id.
    """
    if not questions or not knowledge:
        return {}
    knowledge = sorted(knowledge, key=lambda item: item.row_id)
    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=_WORD)
    pieces = vectorizer.fit_transform(item.text for item in knowledge)
    scores = (vectorizer.transform(item.text for item in questions) @ pieces.T).tocsr()
    by_key: dict[str, list[int]] = defaultdict(list)
    for place, piece in enumerate(knowledge):
        for key in piece.keys:
            by_key[key].append(place)
    open_to_all = np.array([piece.subject_id is None for piece in knowledge])
    found = {}
    for number, question in enumerate(questions):
        cosine = scores[number].toarray()[0]
        shared = sorted({place for key in question.keys for place in by_key[key]})
        shared = [place for place in shared if knowledge[place].subject_id in {None, question.subject_id}]
        if shared:
            found[question.row_id] = knowledge[max(shared, key=lambda place: (cosine[place], -place))]
            continue
        best = int(np.argmax(np.where(open_to_all, cosine, -1.0)))
        if open_to_all[best] and cosine[best] >= threshold:
            found[question.row_id] = knowledge[best]
    return found
