"""`llmops collect`: one day's raw rows from every source of the recipe."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Any

import pyarrow as pa
import structlog
from cyclopts import Parameter

from llmops import artifacts, schemas, suppression
from llmops.collection import rows
from llmops.collection.config import CollectConfig, Source, SqlSource
from llmops.collection.files import SourceFile, locate
from llmops.collection.records import Broken, Record, UnreadableError
from llmops.collection.sources import chat, csv, html, json, pdf, sql, text, xml
from llmops.days import require_partition_of
from llmops.errors import FrozenArtifactError, Refused, SourceError
from llmops.manifest import Manifest
from llmops.settings import Settings

STAGE, VERSION = "collect", 1
_FETCH: dict[str, Callable[..., Iterator[Record | Broken]]] = {
    "csv": csv.fetch,
    "json": json.fetch,
    "xml": xml.fetch,
    "html": html.fetch,
    "pdf": pdf.fetch,
    "text": text.fetch,
    "chat": chat.fetch,
}
log = structlog.get_logger()


def collect_sources(
    root: str,
    target: str,
    *,
    config: CollectConfig,
    day: date,
    recollect: Annotated[bool, Parameter(negative=())] = False,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Collect the rows of `day` from all sources below `root` into `target` (`schemas.RAW`).

    What is collected once is frozen: a second call returns it as it is, whatever the sources hold by then. With
    `recollect` the sources are read again. A broken record or file is set aside with its reason, and so is, without
    its content, every row about somebody on the suppression list (`llmops.suppression`).

    Raises ConfigurationError for a target that is the partition of another day, SourceError for a root or address that
    cannot be reached and for a day of which nothing can be read, FrozenArtifactError when the day was collected with
    another configuration, Refused when no source has anything for the day, ErasedMeanwhileError when somebody was
    erased while the sources were read.
    """
    require_partition_of(day, target)
    with artifacts.recomputing(recollect):  # --force does not thaw raw data
        attempt = artifacts.begin(target, stage=STAGE, version=VERSION, config=config, day=day)
    if attempt.committed:
        return attempt.committed
    if not recollect and artifacts.find(target) is not None:
        raise FrozenArtifactError(
            f"{target}: raw data is frozen and was collected with another configuration; "
            f"pass --recollect to read the sources again"
        )
    kept: list[rows.Row] = []
    aside: list[rows.Row] = []
    fetched_at = datetime.now(UTC)
    erased = suppression.read(settings)
    for source in config.sources:
        collected = list(rows.suppress(_collect(root, source, day, fetched_at), source, erased))
        kept += [row for row, _ in collected if row]
        aside += [row for _, row in collected if row]
        reasons = Counter(row["rule"] for _, row in collected if row)
        log.info("source.collected", source=source.name, rows=sum(1 for row, _ in collected if row), **reasons)
    if not kept and not aside:
        raise Refused(f"no source has anything for {day} below {root}; check the day, the root and the sources' paths")
    if not kept and all(row["rule"] == suppression.RULE for row in aside):
        raise Refused(f"all that there is for {day} below {root} is about people who were erased")
    if not kept:
        raise SourceError(
            f"{root}: nothing of {day} can be used: {len(aside)} records or files are broken, such as "
            f"{aside[0]['uri']} ({aside[0]['reason']}); correct them or the recipe, then collect again"
        )
    attempt.write_table(pa.Table.from_pylist(kept, schema=schemas.RAW), schemas.RAW)
    attempt.set_aside(aside)
    suppression.refuse_if_outdated(erased, settings, target)
    counts = dict(Counter(f"from_{row['kind']}" for row in kept))
    return attempt.commit(counts=counts, suppressed_until=erased.sequence)


def _collect(
    root: str, source: Source, day: date, fetched_at: datetime
) -> Iterator[tuple[rows.Row | None, rows.Row | None]]:
    files = locate(root, source.path, day)
    if not files:
        log.warning("source.found_empty", source=source.name, path=source.path)
    for file in files:
        yield from rows.map_records(_read(file, source, day), source, file.name, day, fetched_at)


def _read(file: SourceFile, source: Source, day: date) -> list[Record | Broken]:
    """All records of a file, or one Broken for a file that is not of its kind."""
    try:
        data = file.read()
        found: Any = (
            sql.fetch(data, source, day) if isinstance(source, SqlSource) else _FETCH[source.kind](data, source)
        )
        return list(found)
    except UnreadableError as error:
        return [Broken("unreadable_file", str(error))]
