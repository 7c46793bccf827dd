"""Exchanges and what was said about them, as rows: pure functions.

Of each field of feedback (rating, corrected answer) the last one given counts; so does the last word on consent.
Whoever gave feedback must be whom the answer was given to.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from llmops.monitoring.interactions.reading import Found
from llmops.monitoring.interactions.records import Exchange, Feedback

Row = dict[str, Any]
_Asked = tuple[Found, Exchange]
_Said = tuple[Found, Feedback]


def awaited(found: Iterable[Found]) -> set[str]:
    """Ids of the answers that a day's feedback is about and that were not given on that day."""
    found = list(found)
    given = {item.record.answer_id for item in found if isinstance(item.record, Exchange)}
    return {item.record.answer_id for item in found} - given


def join(
    today: Sequence[Found], earlier: Sequence[Found], max_trainable_per_subject: int
) -> tuple[list[Row], list[Row]]:
    """Rows of `schemas.INTERACTIONS` for a day, and rows for the quarantine.

    `today` are all lines of the day; `earlier` those lines of days before that are about answers with feedback today.
    The rows are the day's exchanges, and the earlier ones that got feedback today, as they stand at its end.
    """
    found = [*earlier, *today]
    asked, repeated = _exchanges(found)
    said, refused = _feedback(found, asked)
    now = {item.row_id for item in today}
    rows = [
        _row(exchange, said[answer_id])
        for answer_id, exchange in asked.items()
        if now & {item.row_id for item, _ in (exchange, *said[answer_id])}
    ]
    return _cap(rows, max_trainable_per_subject), [row for row in (*repeated, *refused) if row["row_id"] in now]


def _exchanges(found: Iterable[Found]) -> tuple[dict[str, _Asked], list[Row]]:
    """The first exchange of each answer id; others of the same id are set aside."""
    first: dict[str, _Asked] = {}
    aside: list[Row] = []
    for item, exchange in sorted(
        ((item, item.record) for item in found if isinstance(item.record, Exchange)), key=_time_of
    ):
        kept, _ = first.setdefault(exchange.answer_id, (item, exchange))
        if kept is not item:
            reason = "an earlier exchange has this answer id"
            aside.append(_aside(item, "repeated_answer", reason, merged_into=exchange.answer_id))
    return first, aside


def _feedback(found: Iterable[Found], asked: dict[str, _Asked]) -> tuple[defaultdict[str, list[_Said]], list[Row]]:
    """By answer id what was said, in order; what somebody else said, or said of no known answer, is set aside."""
    said: defaultdict[str, list[_Said]] = defaultdict(list)
    aside: list[Row] = []
    for item, feedback in sorted(
        ((item, item.record) for item in found if isinstance(item.record, Feedback)), key=_time_of
    ):
        if feedback.answer_id not in asked:
            aside.append(_aside(item, "unknown_answer", "no exchange with this answer id up to this day"))
        elif asked[feedback.answer_id][1].subject != feedback.subject:
            aside.append(_aside(item, "another_subject", "the answer was given to somebody else"))
        else:
            said[feedback.answer_id].append((item, feedback))
    return said, aside


def _time_of(pair: _Asked | _Said) -> tuple[Any, str]:
    """Order by time; equal times in an order that does not depend on files."""
    return pair[1].event_time, pair[0].row_id


def _row(asked: _Asked, said: Sequence[_Said]) -> Row:
    _, exchange = asked
    feedback = [record for _, record in said]
    found = [item for item, _ in (asked, *said)]
    has_consent = exchange.consent and (not feedback or feedback[-1].consent)
    rating = _last(record.rating for record in feedback)
    texts = {
        "question": exchange.question,
        "context": exchange.context,
        "answer": exchange.answer,
        "corrected_answer": _last(record.corrected_answer for record in feedback),
    }
    if not has_consent:
        texts = dict.fromkeys(texts)
    is_lost = any(item.line.withheld == "redaction_failed" for item in found)
    is_trainable, reason = judge(texts, rating, has_consent=has_consent, is_lost=is_lost)
    return {
        "row_id": exchange.answer_id,
        "parents": [item.row_id for item in found],
        "event_time": exchange.event_time,
        "feedback_time": feedback[-1].event_time if feedback else None,
        "subject_id": exchange.subject,
        "model": exchange.model,
        "template": exchange.template,
        "has_consent": has_consent,
        **texts,
        "rating": rating,
        "redactions": [kind for item in found for kind in item.line.redactions] if has_consent else [],
        "is_trainable": is_trainable,
        "reason": reason,
    }


def judge(texts: dict[str, str | None], rating: str | None, *, has_consent: bool, is_lost: bool) -> tuple[bool, str]:
    """Whether an exchange may train, and the reason in a word. `is_lost`: some of its text could not be redacted."""
    is_blank = {name: not (text or "").strip() for name, text in texts.items()}
    rules = (
        (not has_consent, False, "no_consent"),
        (is_lost, False, "redaction_failed"),
        (is_blank["question"], False, "no_question"),
        (not is_blank["corrected_answer"], True, "corrected"),
        (rating is None, False, "unrated"),
        (is_blank["answer"], False, "no_answer"),
        (rating == "bad", False, "badly_rated"),
        (True, True, "well_rated"),
    )
    return next((is_trainable, reason) for applies, is_trainable, reason in rules if applies)


def _last(values: Iterable[str | None]) -> str | None:
    return next((value for value in reversed(list(values)) if value is not None), None)


def _cap(rows: list[Row], most: int) -> list[Row]:
    """The rows, of which each subject's later ones do not train when there are more than `most`."""
    taken: Counter[str] = Counter()
    capped = []
    for row in sorted(rows, key=lambda row: (row["event_time"], row["row_id"])):
        taken[row["subject_id"]] += row["is_trainable"]
        is_over = row["is_trainable"] and taken[row["subject_id"]] > most
        capped.append({**row, "is_trainable": False, "reason": "over_subject_cap"} if is_over else row)
    return capped


def _aside(item: Found, rule: str, reason: str, merged_into: str | None = None) -> Row:
    return {"row_id": item.row_id, "rule": rule, "reason": reason, "uri": item.uri, "merged_into": merged_into}
