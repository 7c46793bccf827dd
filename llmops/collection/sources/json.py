"""JSON: one object per line, or one array (or object) in the whole file."""

import json
from collections.abc import Iterator
from typing import Any

from llmops.collection.config import JsonSource
from llmops.collection.records import Broken, Record, UnreadableError


def fetch(data: bytes, source: JsonSource) -> Iterator[Record | Broken]:  # noqa: ARG001 - all sources share this form
    """Objects with nested fields flattened to `outer.inner`; numbers keep their spelling, lists become JSON text."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"not UTF-8 (byte {error.start})") from error
    try:
        whole = _parse(text)
    except ValueError:
        yield from _lines(text)
        return
    for position, item in enumerate(whole if isinstance(whole, list) else [whole]):
        yield _record(position, item, raw=None)


def _lines(text: str) -> Iterator[Record | Broken]:
    for position, line in enumerate(text.split("\n")):
        if not line.strip():
            continue
        try:
            item = _parse(line)
        except ValueError as error:
            yield Broken("malformed_record", f"not JSON: {error}", position, line)
        else:
            yield _record(position, item, raw=line)


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_int=str, parse_float=str)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _record(position: int, item: Any, *, raw: str | None) -> Record | Broken:
    try:
        if isinstance(item, dict):
            return Record(position, dict(_flatten(item)))
        return Broken("malformed_record", f"a JSON {type(item).__name__}, not an object", position, json.dumps(item))
    except RecursionError:  # from Python 3.12 on, the parser goes deeper than what walks its result
        return Broken("malformed_record", "nested too deeply", position, raw)


def _flatten(item: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    for name, value in item.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        elif value is None or isinstance(value, str):
            yield prefix + name, value
        else:
            yield prefix + name, json.dumps(value, ensure_ascii=False)
