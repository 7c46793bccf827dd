"""The same job on data that no one here wrote, by recipe and path alone: `pytest -m real_data`.

LLMOPS_SUPPORT_QA names a folder with Bitext's question/answer files; the FAQ comes from Debian's package `debian-faq`.
"""

import os
from datetime import date
from pathlib import Path

import pytest

from llmops import artifacts, recipe
from llmops.annotation.stage import annotate_rows
from llmops.artifacts import Manifest
from llmops.cleaning.stage import clean_rows
from llmops.collection.stage import collect_sources
from llmops.redaction.stage import redact_rows
from llmops.settings import Settings
from llmops.splitting.stage import split_examples

DAY = date(2026, 11, 2)
FAQ = "/usr/share/doc/debian/FAQ"

pytestmark = pytest.mark.real_data


def make_split(name: str, root: str, lake: Path) -> Manifest:
    """Run the data stages with a shipped recipe."""
    configs = recipe.load(Path(f"recipes/{name}.toml"))
    raw = collect_sources(root, f"{lake}/raw/ds={DAY}", config=configs.collect, day=DAY)
    redacted = redact_rows(raw.uri, f"{lake}/redacted/ds={DAY}", config=configs.redact, settings=Settings())
    clean = clean_rows(redacted.uri, f"{lake}/clean/ds={DAY}", config=configs.clean, settings=Settings())
    annotate_rows(clean.uri, f"{lake}/examples/ds={DAY}", config=configs.annotate)
    return split_examples(f"{lake}/examples", f"{lake}/splits/as_of={DAY}", config=configs.split, as_of=DAY)


def straighten(heading: str) -> str:
    """A heading with plain quotes and spaces: the PDF is typeset."""
    return " ".join(heading.translate(str.maketrans("’‘“”", "''\"\"")).split())


def test_support_questions_in_two_layouts(tmp_path: Path) -> None:
    split = make_split("support-qa", os.environ["LLMOPS_SUPPORT_QA"], tmp_path)

    assert split.counts["train"] > 1_000
    assert split.counts["test"] > 200


def test_three_renderings_of_one_faq_agree(tmp_path: Path) -> None:
    split = make_split("debian-faq", FAQ, tmp_path)

    raw = artifacts.read_table(artifacts.read(f"{tmp_path}/raw/ds={DAY}", stage="collect")).to_pylist()
    answered = {
        name: {
            straighten(row["question"]) for row in raw if row["source"] == name and row["question"] and row["answer"]
        }
        for name in ("faq-html", "faq-text", "faq-pdf")
    }
    pages, plain, printed = answered.values()
    assert len(pages & plain) >= 0.94 * len(pages)  # measured: 140 of 146
    assert len(pages & printed) >= 0.85 * len(pages)
    merged = artifacts.read_table(artifacts.read(f"{tmp_path}/clean/ds={DAY}", stage="clean"), quarantine=True)
    assert merged["rule"].to_pylist().count("near_duplicate") > 50
    assert split.counts["train"] > 150
