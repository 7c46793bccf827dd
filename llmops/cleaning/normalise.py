"""Normal form of text: the same characters, without what no reader sees.

Case, punctuation and every script stay as they are. Zero-width joiners stay too: Persian, Indic scripts and emoji need
them.
"""

import ftfy
import pyarrow as pa
from ftfy.badness import is_bad
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name every Spark user knows

_LINE_ENDS = r"\r\n?|[\u0085\u2028\u2029]"
# Controls but tab and newline; zero-width space, word joiner, byte order mark, soft hyphen; bidi overrides.
_INVISIBLE = r"[\p{Cc}&&[^\n\t]]|[\u200B\u2060\uFEFF\u00AD\u202A-\u202E\u2066-\u2069]"


def normalise_texts(rows: DataFrame, columns: tuple[str, ...]) -> DataFrame:
    """Bring text columns into normal form; empty ones become null.

    Undoes text decoded with the wrong encoding, unifies line ends, removes invisible characters, composes (NFC), and
    folds white space within lines and blank lines into one.
    """
    repaired = rows.withColumns({name: _repair(F.col(name)) for name in columns})
    # `reflect` counts as non-deterministic, which Spark allows in a projection only: hence a step of its own.
    stripped = repaired.withColumns({name: _strip(F.col(name)) for name in columns})
    composed = stripped.withColumns({name: _compose(name) for name in columns})
    return composed.withColumns({name: _fold(F.col(name)) for name in columns})


def _repair(column: Column) -> Column:
    return F.arrow_udf(_fix_encoding, "string")(column)


def _fix_encoding(texts: pa.Array) -> pa.Array:
    """`cafÃ©` → `café`, only where it looks like that."""
    fixed = (text if text is None or not is_bad(text) else ftfy.fix_encoding(text) for text in texts.to_pylist())
    return pa.array(fixed, pa.string())


def _strip(column: Column) -> Column:
    return F.regexp_replace(F.regexp_replace(column, _LINE_ENDS, "\n"), _INVISIBLE, "")


def _compose(name: str) -> Column:
    """NFC by the ICU library that ships with Spark; Spark SQL has no function for it."""
    return F.expr(
        f"CASE WHEN {name} IS NOT NULL THEN reflect('com.ibm.icu.text.Normalizer', 'compose', {name}, false) END"
    )


def _fold(column: Column) -> Column:
    spaces = F.regexp_replace(column, r"[\p{Zs}\t]+", " ")
    lines = F.regexp_replace(F.regexp_replace(spaces, r" *\n *", "\n"), r"\n{3,}", "\n\n")
    trimmed = F.regexp_replace(lines, r"^\s+|\s+$", "")
    return F.when(trimmed != "", trimmed)
