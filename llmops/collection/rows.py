"""From a source's records to rows of the lake: templates say which fields are question, answer, text, keys and time."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from llmops import digests, suppression
from llmops.collection.config import Source
from llmops.collection.records import Broken, Record
from llmops.suppression import Suppressed

_FIELD = re.compile(r"\{([^{}]+)\}")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON and file names can hold them, UTF-8 and so Parquet cannot
Row = dict[str, Any]


class _UnknownFieldError(ValueError):
    """A template names a field that the record does not have."""


def map_records(
    records: Iterable[Record | Broken], source: Source, uri: str, day: date, fetched_at: datetime
) -> Iterator[tuple[Row | None, Row | None]]:
    """For each record either a row of `schemas.RAW` or one for the quarantine; neither for another day's record."""
    for item in records:
        if isinstance(item, Broken):
            yield None, _set_aside(source, uri, item)
            continue
        try:
            row = _map(item, source, uri, day)
        except _UnknownFieldError as error:
            known = ", ".join(sorted(item.fields))
            reason = f"no field {error} for its template; the record has: {known}"
            yield None, _set_aside(source, uri, Broken("missing_field", reason, item.position, _text(item)))
        except ValueError as error:
            yield None, _set_aside(source, uri, Broken("bad_event_time", str(error), item.position, _text(item)))
        else:
            if not source.only_day or row["event_time"].date() == day:
                yield {**row, "fetched_at": fetched_at}, None


def suppress(
    pairs: Iterable[tuple[Row | None, Row | None]], source: Source, erased: Suppressed
) -> Iterator[tuple[Row | None, Row | None]]:
    """What `map_records` gives, with a note in the quarantine for each row about somebody who was erased.

    The note's id is made of the row's place alone: that of the row itself would tell of its content.
    """
    for row, aside in pairs:
        if row is None or not erased.holds(row["subject_id"]):
            yield row, aside
            continue
        broken = Broken(suppression.RULE, "about somebody who was erased", row["position"])
        yield None, _set_aside(source, row["uri"], broken)


def _map(record: Record, source: Source, uri: str, day: date) -> Row:
    fields = record.fields
    keys = (_render(template, fields) for template in source.keys)
    return {
        "row_id": digests.short_id(source.name, uri, str(record.position), _text(record)),
        "parents": [],
        "source": source.name,
        "kind": source.kind,
        "uri": _spellable(uri),
        "position": record.position,
        "event_time": _event_time(_render(source.event_time, fields), day),
        "subject_id": _render(source.subject, fields),
        "keys": sorted({key for key in keys if key}),
        "question": _render(source.question, fields),
        "answer": _render(source.answer, fields),
        "text": _render(source.text, fields),
    }


def _render(template: str, fields: dict[str, str | None]) -> str | None:
    """The template with its fields filled in; None where no field has a value."""
    names = _FIELD.findall(template)
    for name in names:
        if name not in fields:
            raise _UnknownFieldError(f"`{name}`")
    if names and not any(fields[name] for name in names):
        return None
    text = _FIELD.sub(lambda match: fields[match.group(1)] or "", template)
    return _spellable(text) or None


def _event_time(text: str | None, day: date) -> datetime:
    if text is None:
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except ValueError as error:
        raise ValueError(f"event time {text!r} is not ISO 8601") from error
    except OverflowError as error:
        raise ValueError(f"event time {text!r} is not within the years 1 to 9999 of UTC") from error


def _set_aside(source: Source, uri: str, broken: Broken) -> Row:
    return {
        "row_id": digests.short_id(source.name, uri, str(broken.position), broken.rule),
        "rule": broken.rule,
        "reason": _spellable(f"source `{source.name}`: {broken.reason}"),
        "uri": _spellable(uri),
        "record": None if broken.text is None else _spellable(broken.text),
    }


def _spellable(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text)


def _text(record: Record) -> str:
    return json.dumps(record.fields, ensure_ascii=False, sort_keys=True)
