"""Which rows cannot be used, and why."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name every Spark user knows

from llmops.cleaning.config import CleanConfig


def judge(rows: DataFrame, config: CleanConfig) -> DataFrame:
    """Add `rule` and `reason`: null for usable rows, which hold a question with its answer, or a text.

    The first rule that applies is given.
    """
    question, answer, text = (_is_present(name, config) for name in ("question", "answer", "text"))
    longest = F.greatest(*(F.coalesce(F.length(name), F.lit(0)) for name in ("question", "answer", "text")))
    rules = [
        ("too_long", longest > config.max_characters, f"longer than {config.max_characters} characters"),
        ("missing_answer", question & ~answer & ~text, "a question without an answer"),
        ("missing_question", answer & ~question & ~text, "an answer without a question"),
        ("empty", ~question & ~answer & ~text, f"nothing of at least {config.min_characters} characters in it"),
    ]
    rule, reason = F.lit(None).cast("string"), F.lit(None).cast("string")
    for name, applies, sentence in reversed(rules):
        rule, reason = F.when(applies, name).otherwise(rule), F.when(applies, sentence).otherwise(reason)
    return rows.withColumns({"rule": rule, "reason": reason})


def _is_present(name: str, config: CleanConfig) -> Column:
    return F.coalesce(F.length(name) >= config.min_characters, F.lit(False))
