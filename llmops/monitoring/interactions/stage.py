"""`llmops store-interactions`: one day's spool as a partition of the lake."""

from collections import Counter
from datetime import date, timedelta
from typing import Annotated, Any

import pyarrow as pa
from cyclopts import Parameter

from llmops import artifacts, digests, schemas, suppression
from llmops.days import require_partition_of
from llmops.errors import Refused, SourceError
from llmops.manifest import Manifest
from llmops.monitoring.interactions import joining, reading
from llmops.monitoring.interactions.config import StoreInteractionsConfig
from llmops.monitoring.interactions.reading import Found
from llmops.settings import Settings
from llmops.suppression import Suppressed

STAGE, VERSION = "store-interactions", 1


def store_interactions(
    spool: str,
    target: str,
    *,
    config: StoreInteractionsConfig,
    day: date,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Store what was said on `day` from the files below `spool` into `target` (`schemas.INTERACTIONS`).

    The partition holds the day's exchanges with the feedback that came on the same day. Feedback that comes later goes
    into the partition of its own day, together with the exchange (looked for `feedback_days` back) and all feedback in
    between: of an answer's rows, the one in the newest partition counts, and a stored day never changes. Run again, a
    day is made anew only if its lines have changed: store a day when it is over. Lines of people on the suppression
    list are set aside.

    Raises ConfigurationError for a target that is the partition of another day, SourceError for a spool that holds no
    days, Refused when nothing was written on the day.
    """
    require_partition_of(day, target)
    if not reading.has_days(spool):
        raise SourceError(f"{spool}: holds no ds=YYYY-MM-DD; pass the folder that the service writes interactions to")
    if not reading.day_files(spool, day):
        raise Refused(f"nothing was written on {day} below {spool}")
    erased = suppression.read(settings)
    today, aside = reading.read_day(spool, day)
    today, suppressed = _suppress(today, erased)
    aside += suppressed
    earlier, _ = _suppress(_earlier(spool, day, config.feedback_days, joining.awaited(today)), erased)
    ids = [item.row_id for item in (*today, *earlier)] + [row["row_id"] for row in aside]
    attempt = artifacts.begin(
        target,
        stage=STAGE,
        version=VERSION,
        config=config,
        day=day,
        depends_on={"lines": digests.of_json(sorted(ids))},
    )
    if attempt.committed:
        return attempt.committed
    rows, refused = joining.join(today, earlier, config.max_trainable_per_subject)
    parents = {parent for row in rows for parent in row["parents"]}
    unused = {item.row_id for item in earlier} - parents
    attempt.write_table(pa.Table.from_pylist(rows, schema=schemas.INTERACTIONS), schemas.INTERACTIONS)
    attempt.set_aside([*aside, *refused])
    suppression.refuse_if_outdated(erased, settings, target)
    return attempt.commit(
        input_ids=[row_id for row_id in ids if row_id not in unused],
        counts=_count(rows, day),
        suppressed_until=erased.sequence,
    )


def _suppress(found: list[Found], erased: Suppressed) -> tuple[list[Found], list[dict[str, Any]]]:
    """The lines of everybody who was not erased, and notes on the others; the ids of these tell of no content."""
    kept = [item for item in found if not erased.holds(item.record.subject)]
    gone = [item for item in found if erased.holds(item.record.subject)]
    notes = [
        {
            "row_id": digests.short_id(item.uri, suppression.RULE, str(number)),
            "rule": suppression.RULE,
            "reason": "about somebody who was erased",
            "uri": item.uri,
        }
        for number, item in enumerate(gone)
    ]
    return kept, notes


def _earlier(spool: str, day: date, days: int, answer_ids: set[str]) -> list[reading.Found]:
    """Lines of the days before about the given answers; nothing is read when there are none."""
    if not answer_ids:
        return []
    before = (day - timedelta(days=back) for back in range(1, days + 1))
    return [item for past in before for item in reading.read_day(spool, past, answer_ids)[0]]


def _count(rows: list[dict[str, Any]], day: date) -> dict[str, int]:
    """What a person wants to know of a day: ratings, reasons, and what was redacted."""
    counts = Counter(row["reason"] for row in rows)
    counts["trainable"] = sum(row["is_trainable"] for row in rows)
    counts["of_earlier_days"] = sum(row["event_time"].date() != day for row in rows)
    counts.update(f"rated_{row['rating']}" for row in rows if row["rating"])
    counts.update(f"redacted_{kind.lower()}" for row in rows for kind in row["redactions"])
    return dict(counts)
