"""`llmops materialize`: brings token ids into the feature store, and the training set out of it."""

from datetime import UTC, datetime
from typing import Annotated

import structlog
from cyclopts import Parameter

from llmops import artifacts, schemas
from llmops.errors import CorruptArtifactError
from llmops.features.config import MaterializeConfig
from llmops.features.log import append_to_log, read_log
from llmops.features.rows import as_tokens, count_differences, place_in_log
from llmops.features.views import TRAINING
from llmops.manifest import Manifest
from llmops.settings import Settings

log = structlog.get_logger()


def materialize_features(
    tokens: str,
    target: str,
    *,
    config: MaterializeConfig,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Append what the store lacks, retrieve this snapshot's rows by point-in-time join, and write them online.

    The output has the rows of `tokens`, as the store gave them back. Raises ConfigurationError when the feature view
    is not applied, CorruptArtifactError when the store gives back, offline or online, other values than were put in.
    """
    source = artifacts.read(tokens, "tokenize")
    attempt = artifacts.begin(target, stage="materialize", version=1, config=config, inputs=[source], day=source.day)
    if attempt.committed:
        return attempt.committed

    # Feast takes 10 CPU seconds to import: a run that finds its work done does not pay them.
    from llmops.features import store as feast  # noqa: PLC0415 - see above

    store = feast.open_store(settings, TRAINING)
    rows = artifacts.read_table(source)
    logged = read_log(settings.lake, TRAINING, [*TRAINING.keys, "event_timestamp", "created", "content"])
    placed, fresh = place_in_log(rows, logged, datetime.now(UTC))
    append_to_log(settings.lake, TRAINING, fresh)
    log.info("features.appended", appended=fresh.num_rows, rows=rows.num_rows)

    retrieved = feast.retrieve_offline(store, TRAINING, placed)
    _demand_equal(settings.lake, "offline", count_differences(placed.select(retrieved.column_names), retrieved))
    written = feast.write_online(store, TRAINING, placed)
    sample = (
        written.sort_by("content")
        .slice(0, config.parity_sample)
        .select([*TRAINING.keys, *TRAINING.features])
        .to_pylist()
    )
    online = feast.read_online(store, TRAINING, [(row["example_id"], row["tokenizer"]) for row in sample])
    differing = sum(
        any(row[name] != found[name] for name in TRAINING.features) for row, found in zip(sample, online, strict=True)
    )
    _demand_equal(settings.lake, "online", differing)

    attempt.write_table(as_tokens(rows, retrieved), schemas.TOKENS)
    return attempt.commit(
        input_ids=rows["row_id"].to_pylist(),
        counts={
            "appended": fresh.num_rows,
            "written_online": written.num_rows,
            "newer_online": placed.num_rows - written.num_rows,
            "compared_online": len(sample),
        },
    )


def _demand_equal(lake: str, where: str, differing: int) -> None:
    if differing:
        raise CorruptArtifactError(
            f"{lake}/feature_store: {differing} rows come back {where} otherwise than they were put in; move "
            "that folder away, apply feature_repo again and run `llmops materialize --force`, which fills it anew"
        )
