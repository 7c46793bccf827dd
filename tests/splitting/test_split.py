"""Parts are stable, repeats of other days are merged, and held-out rows do not echo training rows."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from llmops import artifacts, schemas
from llmops.annotation.config import AnnotateConfig
from llmops.annotation.stage import group_of
from llmops.errors import MissingArtifactError
from llmops.splitting.assign import merge_repeats, part_of
from llmops.splitting.config import SplitConfig
from llmops.splitting.stage import split_examples

CONFIG = SplitConfig()
DAYS = [date(2026, 11, 2), date(2026, 11, 3)]


def example(row_id: str, question: str, answer: str = "Yes.") -> dict[str, Any]:
    """A row of `schemas.EXAMPLE`."""
    return {
        "row_id": row_id,
        "parents": ["x"],
        "source": "s",
        "event_time": datetime(2026, 11, 2, tzinfo=UTC),
        "subject_id": None,
        "is_pair": bool(question),
        "group_id": group_of(question or row_id),
        "context": "",
        "question": question,
        "answer": answer,
        "prompt": "p",
        "messages": [],
        "template": "t",
    }


def commit_day(lake: Path, day: date | str, rows: list[dict[str, Any]]) -> None:
    """Commit the examples of one day."""
    attempt = artifacts.begin(f"{lake}/ds={day}", stage="annotate", version=1, config=AnnotateConfig())
    attempt.write_table(pa.Table.from_pylist(rows, schema=schemas.EXAMPLE), schemas.EXAMPLE).commit()


def parts(lake: Path, target: str, as_of: date) -> dict[str, str]:
    """Row id → part."""
    manifest = split_examples(str(lake), target, config=CONFIG, as_of=as_of)
    return {row["row_id"]: row["part"] for row in artifacts.read_table(manifest).to_pylist()}


def test_shares_are_kept_and_groups_stay_together() -> None:
    found = [part_of(group_of(f"question {number}"), CONFIG) for number in range(4000)]

    assert found.count("test") / 4000 == pytest.approx(CONFIG.test_share, abs=0.02)
    assert found.count("validation") / 4000 == pytest.approx(CONFIG.validation_share, abs=0.02)


def test_more_days_never_move_a_row(tmp_path: Path) -> None:
    commit_day(tmp_path / "e", DAYS[0], [example(f"a{n}", f"What about topic {n} of {n * 7}?") for n in range(60)])
    before = parts(tmp_path / "e", f"{tmp_path}/1", DAYS[0])
    commit_day(
        tmp_path / "e", DAYS[1], [example(f"b{n}", f"How is matter {n} of {n * 11} handled?") for n in range(60)]
    )

    after = parts(tmp_path / "e", f"{tmp_path}/2", DAYS[1])

    assert len(after) == 120
    assert {row_id: after[row_id] for row_id in before} == before


def test_days_after_as_of_and_uncommitted_days_are_not_seen(tmp_path: Path) -> None:
    commit_day(tmp_path / "e", DAYS[0], [example("a", "One?")])
    commit_day(tmp_path / "e", DAYS[1], [example("b", "Two?")])
    (tmp_path / "e" / "ds=2026-11-01").mkdir()

    assert set(parts(tmp_path / "e", f"{tmp_path}/1", DAYS[0])) == {"a"}


def test_folder_that_is_not_a_day_is_not_joined(tmp_path: Path) -> None:
    commit_day(tmp_path / "e", DAYS[0], [example("a", "One?")])
    for stray in ("2026-11-02.old", "20261102", "2026-11-31"):
        commit_day(tmp_path / "e", stray, [example(stray, "Two?")])
    (tmp_path / "e" / f"ds={DAYS[1]}").write_text("a file where a day would be")

    assert set(parts(tmp_path / "e", f"{tmp_path}/1", DAYS[1])) == {"a"}


def test_no_committed_day_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifactError, match="llmops annotate"):
        split_examples(f"{tmp_path}/e", f"{tmp_path}/s", config=CONFIG, as_of=DAYS[0])


def test_repeat_of_an_earlier_day_is_merged_into_it(tmp_path: Path) -> None:
    question = "Which countries can receive gas cartridges from the shop?"
    commit_day(tmp_path / "e", DAYS[0], [example("old", question, "Germany and Austria, by road only, within days.")])
    commit_day(
        tmp_path / "e",
        DAYS[1],
        [
            example("new", question, "Germany and Austria, by road only, within days!"),
            example("other", question, "Germany and 1 more country, by road only, within days!"),
        ],
    )

    manifest = split_examples(str(tmp_path / "e"), f"{tmp_path}/s", config=CONFIG, as_of=DAYS[1])

    (merged,) = artifacts.read_table(manifest, quarantine=True).to_pylist()
    assert (merged["row_id"], merged["merged_into"]) == ("new", "old")
    assert set(artifacts.read_table(manifest)["row_id"].to_pylist()) == {"old", "other"}


def test_later_day_does_not_change_what_happened_to_earlier_rows() -> None:
    rows = [
        {**example(f"r{n}", f"Topic {n}?", f"The answer to topic {n} is long enough."), "ds": DAYS[0]} for n in range(9)
    ]
    later = {**example("later", "Topic 3??", "The answer to topic 3 is long enough."), "ds": DAYS[1]}

    kept, merged = merge_repeats([later, *rows], 0.7)

    assert {row["row_id"] for row in kept} == {row["row_id"] for row in rows}
    assert merged == {"later": "r3"}
