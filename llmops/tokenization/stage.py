"""`llmops tokenize`: turns examples into token ids with the base model's own tokenizer."""

from collections import Counter
from typing import Any

import pyarrow as pa

from llmops import artifacts, schemas
from llmops.errors import TrainingError
from llmops.manifest import Manifest
from llmops.tokenization.config import TokenizeConfig
from llmops.tokenization.encode import encode_examples, reason_to_set_aside
from llmops.tokenization.fingerprint import fingerprint_tokenizer


def tokenize_examples(split: str, model: str, target: str, *, config: TokenizeConfig) -> Manifest:
    """Write one row of ids for each question with an answer.

    Knowledge without a question (part `context`) is not this stage's business: such rows are neither read nor set
    aside, only counted. `manifest.counts` holds `context_rows`, and `<part>_rows` and `<part>_tokens` for every other
    part. Raises TrainingError when no row is left to train on.
    """
    examples, base = artifacts.read(split, "split"), artifacts.read(model, "import-model")
    attempt = artifacts.begin(
        target, stage="tokenize", version=1, config=config, inputs=[examples, base], day=examples.day
    )
    if attempt.committed:
        return attempt.committed

    # transformers takes 6 CPU seconds to import: a run that finds its work done does not pay them.
    from transformers import AutoTokenizer  # noqa: PLC0415 - see above

    tokenizer = AutoTokenizer.from_pretrained(artifacts.local_folder(base))
    rows = artifacts.read_table(examples).to_pylist()
    pairs = [row for row in rows if row["part"] != "context"]
    kept: list[dict[str, Any]] = []
    aside: list[dict[str, Any]] = []
    for row in encode_examples(tokenizer, fingerprint_tokenizer(base.files), pairs):
        refused = reason_to_set_aside(row, config.max_tokens)
        if refused is None:
            kept.append(row)
        else:
            aside.append({"row_id": row["row_id"], "rule": refused[0], "reason": refused[1], "uri": row["source"]})
    if not any(row["part"] == "train" for row in kept):
        raise TrainingError(
            f"{split}: no training example is left ({len(kept)} rows kept, {len(aside)} set aside); collect more days, "
            f"raise tokenize.max_tokens ({config.max_tokens}) or lower the held-out shares of `split`"
        )
    attempt.write_table(pa.Table.from_pylist(kept, schema=schemas.TOKENS), schemas.TOKENS)
    attempt.set_aside(aside)
    counts = {"context_rows": len(rows) - len(pairs), **_count_parts(kept)}
    return attempt.commit(input_ids=[row["row_id"] for row in pairs], counts=counts)


def _count_parts(rows: list[dict[str, Any]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in rows:
        counts[f"{row['part']}_rows"] += 1
        counts[f"{row['part']}_tokens"] += len(row["input_ids"])
    return dict(sorted(counts.items()))
