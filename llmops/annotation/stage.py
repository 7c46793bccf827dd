"""`llmops annotate`: question, answer and context of each clean row as an annotated prompt and as chat messages."""

import re
from typing import Any

import pyarrow as pa

from llmops import artifacts, digests, schemas
from llmops.annotation import prompts
from llmops.annotation.config import AnnotateConfig
from llmops.annotation.contexts import Knowledge, Question, match
from llmops.guards import classifier
from llmops.guards.injection import screen
from llmops.manifest import Manifest

STAGE, VERSION = "annotate", 3
_TEXTS = ("question", "answer", "text")
_NOT_WORD = re.compile(r"[\W_]+")
Row = dict[str, Any]


def annotate_rows(clean: str, target: str, *, config: AnnotateConfig) -> Manifest:
    """Make examples (`schemas.EXAMPLE`) in `target` out of the rows of `clean` (`schemas.CLEAN`).

    A row with question and answer becomes a pair, with the best matching knowledge row as its context and second
    parent. Knowledge that matches no question stays as a context row. A row that reads like an attempt to take a model
    over is set aside or counted, as `config.injections` says; the screen's weights count as an input.
    """
    source = artifacts.read(clean, stage="clean")
    attempt = artifacts.begin(
        target,
        stage=STAGE,
        version=VERSION,
        config=config,
        inputs=[source],
        depends_on={"injection_screen": classifier.shipped_digest()},
    )
    if attempt.committed:
        return attempt.committed
    rows = artifacts.read_table(source).to_pylist()
    suspects = find_injections(rows)
    is_kept = config.injections == "count"
    examples = make_examples([row for row in rows if is_kept or row["row_id"] not in suspects], config)
    if not is_kept:
        attempt.set_aside([_reason(row, suspects[row["row_id"]]) for row in rows if row["row_id"] in suspects])
    attempt.write_table(pa.Table.from_pylist(examples, schema=schemas.EXAMPLE), schemas.EXAMPLE)
    pairs = [example for example in examples if example["is_pair"]]
    return attempt.commit(
        input_ids=[row["row_id"] for row in rows],
        counts={
            "pairs": len(pairs),
            "pairs_with_context": sum(1 for example in pairs if example["context"]),
            "context_rows": len(examples) - len(pairs),
            "injections": len(suspects),
        },
    )


def find_injections(rows: list[Row]) -> dict[str, tuple[str, ...]]:
    """Ids of the rows that hold an attempt to take a model over, in question, answer or text, with the rules broken."""
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        screenings = [screen(row[name]) for name in _TEXTS if row[name]]
        if any(screening.is_flagged for screening in screenings):
            rules = {rule for screening in screenings if screening.is_flagged for rule in screening.rules}
            found[row["row_id"]] = tuple(sorted(rules))
    return found


def _reason(row: Row, rules: tuple[str, ...]) -> Row:
    reason = f"reads like an attempt to take a model over ({', '.join(rules) or 'weak signs together'})"
    return {"row_id": row["row_id"], "rule": "injection", "reason": reason, "uri": row["uri"]}


def make_examples(rows: list[Row], config: AnnotateConfig) -> list[Row]:
    """Examples out of clean rows, in order of row id."""
    paired = [row for row in rows if row["question"] and row["answer"]]
    knowing = [row for row in rows if not (row["question"] and row["answer"])]
    questions = [Question(row["row_id"], row["question"], frozenset(row["keys"]), row["subject_id"]) for row in paired]
    knowledge = [Knowledge(row["row_id"], row["text"], frozenset(row["keys"]), row["subject_id"]) for row in knowing]
    matches = match(questions, knowledge, config.context_threshold) if config.context_characters else {}
    used = {piece.row_id for piece in matches.values()}
    examples = [_pair(row, matches.get(row["row_id"]), config) for row in paired]
    examples += [_context_row(row, config) for row in knowing if row["row_id"] not in used]
    return sorted(examples, key=lambda example: example["row_id"])


def _pair(row: Row, piece: Knowledge | None, config: AnnotateConfig) -> Row:
    context = prompts.shorten(piece.text, config.context_characters) if piece else ""
    messages = prompts.chat_messages(config.system, row["question"], context)
    return {
        **_origin(row),
        "parents": sorted({row["row_id"], *([piece.row_id] if piece else [])}),
        "is_pair": True,
        "group_id": group_of(row["question"]),
        "context": context,
        "question": row["question"],
        "answer": row["answer"],
        "prompt": prompts.annotate(row["question"], row["answer"], context),
        "messages": [*messages, prompts.Message(role="assistant", content=prompts.defuse(row["answer"]))],
    }


def _context_row(row: Row, config: AnnotateConfig) -> Row:
    text = prompts.shorten(row["text"], config.context_characters) if config.context_characters else row["text"]
    return {
        **_origin(row),
        "parents": [row["row_id"]],
        "is_pair": False,
        "group_id": group_of(row["text"]),
        "context": text,
        "question": "",
        "answer": "",
        "prompt": prompts.annotate("", "", text),
        "messages": [],
    }


def _origin(row: Row) -> Row:
    kept = {name: row[name] for name in ("row_id", "source", "event_time", "subject_id")}
    return {**kept, "template": prompts.TEMPLATE}


def group_of(question: str) -> str:
    """Rows that ask the same, but for case, punctuation and white space, share a group."""
    return digests.short_id(_NOT_WORD.sub(" ", question.casefold()).strip())
