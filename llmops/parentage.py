"""Every row is accounted for: it is the parent of a kept row, or set aside, or merged into a kept one."""

from collections import Counter
from collections.abc import Iterable, Sequence

import pyarrow as pa

from llmops.errors import ParentageError


def check(target: str, input_ids: Iterable[str], kept: Sequence[pa.Table], rejected: Sequence[pa.Table]) -> None:
    """Raise ParentageError when a row was lost or appeared from nowhere on the way to `target`.

    `kept` are tables with `row_id` and `parents`, `rejected` tables of `schemas.QUARANTINE`.
    """
    known = set(input_ids)
    parents = {parent for table in kept for ids in table["parents"].to_pylist() for parent in ids}
    made = {row_id for table in kept for row_id in table["row_id"].to_pylist()}
    orphans = sum(1 for table in kept for ids in table["parents"].to_pylist() if not ids)
    aside = {row_id for table in rejected for row_id in table["row_id"].to_pylist()}
    keepers = {keeper for table in rejected for keeper in table["merged_into"].to_pylist() if keeper}
    problems = {
        "input rows unaccounted for": len(known - parents - aside),
        "parents that are not in the input": len(parents - known),
        "rows set aside that are not in the input": len(aside - known),
        "rows without a parent": orphans,
        "duplicate row ids": sum(table.num_rows for table in kept) - len(made),
        "keepers that are not in the output": len(keepers - made),
    }
    found = ", ".join(f"{count} {what}" for what, count in problems.items() if count)
    if found:
        raise ParentageError(f"{target}: not committed: {found}; this is a fault of the stage, please report it")


def count(kept: Sequence[pa.Table], rejected: Sequence[pa.Table]) -> dict[str, int]:
    """Rows `kept` and `set_aside`, and how many each rule set aside."""
    rules = Counter(rule for table in rejected for rule in table["rule"].to_pylist())
    return {"kept": sum(table.num_rows for table in kept), "set_aside": rules.total(), **rules}
