"""`llmops generate-batch`: answers to a table of questions, at the engine's full throughput.

The table is cut into parts; a part that is answered is kept, so that a run that was interrupted goes on after it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Annotated, Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from cyclopts import Parameter
from pydantic import Field, ValidationError

from llmops import artifacts, digests, schemas, storage
from llmops.artifacts import Attempt
from llmops.config import StageConfig
from llmops.errors import Refused, SourceError
from llmops.manifest import Manifest
from llmops.settings import Settings
from serving import releases
from serving.admission import make_job, refuse_characters
from serving.errors import ServiceError
from serving.guards import Guards
from serving.models import Model, Models
from serving.schemas import GenerateRequest
from serving.settings import ServingSettings

_COLUMNS = ("id", "prompt", "context")
_PARTIAL = "_partial"
log = structlog.get_logger()


class BatchConfig(StageConfig):
    """How a batch is answered."""

    rows_per_part: int = Field(512, ge=1)
    """Rows of one output file; an interrupted run loses at most one of them."""
    at_once: int = Field(64, ge=1)
    """Questions that the engine works on at once."""
    max_new_tokens: int | None = Field(None, ge=1)
    """Longest answer in tokens; the release's default, if not given."""
    seed: int = 0
    """Every answer's seed, so that a batch can be repeated."""


_DEFAULT = BatchConfig()


def generate_batch(
    questions: str,
    target: str,
    *,
    config: BatchConfig = _DEFAULT,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Answer every row of Parquet files with the champion.

    `questions` is a file or folder of Parquet with the columns `prompt`, and if wanted `context` and `id`. What cannot
    be answered is set aside with its reason; the rest goes on. The engine and its limits are those of
    LLMOPS_SERVING_*. Raises Refused when there is no row, SourceError when the table has other columns.

    Parameters
    ----------
    questions
        File or folder of Parquet, as any fsspec URI.
    """
    serving = ServingSettings(platform=settings)
    named = releases.read_named(settings)
    rows, content = _read(questions)
    attempt = artifacts.begin(
        target,
        stage="generate-batch",
        version=1,
        config=config,
        inputs=[named.champion.release],
        depends_on={"questions": content},
    )
    if attempt.committed:
        return attempt.committed
    asyncio.run(_answer_parts(rows, attempt, config, serving))
    return _commit(rows, attempt, config)


def _read(uri: str) -> tuple[list[dict[str, Any]], str]:
    """The rows, each with a row_id, and the hash of them all."""
    files, root = fsspec.url_to_fs(uri)
    if not files.exists(root):
        raise SourceError(f"{uri}: no such file or folder")
    paths = [root] if files.isfile(root) else sorted(path for path in files.find(root) if path.endswith(".parquet"))
    tables = [pq.read_table(BytesIO(files.cat_file(path))) for path in paths]
    rows: list[dict[str, Any]] = []
    for table in tables:
        unknown = sorted({*table.column_names} - {*_COLUMNS})
        if "prompt" not in table.column_names or unknown:
            raise SourceError(f"{uri}: has the columns {', '.join(table.column_names)}; give prompt, context and id")
        rows += table.to_pylist()
    if not rows:
        raise Refused(f"{uri}: no row to answer")
    for number, row in enumerate(rows):
        given = row.get("id")
        row["row_id"] = digests.of_json([given if given is not None else number, row["prompt"], row.get("context")])[
            :32
        ]
    if len({row["row_id"] for row in rows}) < len(rows):
        raise SourceError(f"{uri}: a row stands there twice with one id; give every row an id of its own")
    return rows, digests.of_json(rows)


async def _answer_parts(
    rows: list[dict[str, Any]], attempt: Attempt, config: BatchConfig, settings: ServingSettings
) -> None:
    """Answer what no kept part answers yet."""
    waiting = [place for place in range(0, len(rows), config.rows_per_part) if not _exists(attempt, place)]
    if not waiting:
        return
    log.info("batch.started", parts_kept=-(-len(rows) // config.rows_per_part) - len(waiting), rows=len(rows))
    async with _champion(settings) as model:
        for place in waiting:
            part = rows[place : place + config.rows_per_part]
            answers = await _answer_all(part, model, config, settings)
            _keep(attempt, place, pa.Table.from_pylist(answers, schema=_PART))
            log.info("batch.answered", rows_done=place + len(part), rows=len(rows))


@asynccontextmanager
async def _champion(settings: ServingSettings) -> AsyncIterator[Model]:
    models = Models(settings)
    await models.follow()
    assert models.lineup is not None  # noqa: S101 - `follow` sets it or raises
    try:
        yield models.lineup.champion
    finally:
        await models.close()


async def _answer_all(
    rows: Sequence[dict[str, Any]], model: Model, config: BatchConfig, settings: ServingSettings
) -> list[dict[str, Any]]:
    places = asyncio.Semaphore(config.at_once)

    async def answer(row: dict[str, Any]) -> dict[str, Any]:
        async with places:
            try:
                return await _answer(row, model, config, settings)
            except ServiceError as error:
                return {"row_id": row["row_id"], "rule": error.kind, "reason": error.message}
            except ValidationError as error:
                return {"row_id": row["row_id"], "rule": "invalid_request", "reason": str(error.errors()[0]["msg"])}

    return await asyncio.gather(*(answer(row) for row in rows))


async def _answer(row: dict[str, Any], model: Model, config: BatchConfig, settings: ServingSettings) -> dict[str, Any]:
    body = GenerateRequest(
        prompt=row["prompt"], context=row.get("context"), max_new_tokens=config.max_new_tokens, seed=config.seed
    )
    refuse_characters(body, settings)
    guards = Guards(settings)
    await guards.screen(body.texts)
    job, output, texts = await make_job(body, model, settings), guards.answer_filter(), []
    async for piece in model.engine.stream(job):
        texts.append(output.feed(piece.text, is_last=piece.finish_reason is not None))
    return {
        "row_id": row["row_id"],
        "answer": "".join(texts),
        "finish_reason": piece.finish_reason,
        "prompt_tokens": len(job.prompt),
        "completion_tokens": piece.completion_tokens,
        "model": model.version,
    }


_PART = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("row_id", "answer", "finish_reason", "model", "rule", "reason")),
        *(pa.field(name, pa.int32()) for name in ("prompt_tokens", "completion_tokens")),
    ]
)


def _path(attempt: Attempt, place: int) -> str:
    """Where a part is kept until the whole is committed: apart for each model, input and configuration."""
    root: str = fsspec.url_to_fs(attempt.target)[1]
    return f"{root}/{_PARTIAL}/{attempt.cache_key}/{place:09}.parquet"


def _exists(attempt: Attempt, place: int) -> bool:
    return bool(attempt.files.exists(_path(attempt, place)))


def _keep(attempt: Attempt, place: int, part: pa.Table) -> None:
    buffer = BytesIO()
    pq.write_table(part, buffer, compression="zstd")
    storage.put(attempt.files, _path(attempt, place), buffer.getvalue())


def _commit(rows: list[dict[str, Any]], attempt: Attempt, config: BatchConfig) -> Manifest:
    """Write every part with its questions, set aside what was refused, and drop the kept parts."""
    refused: list[dict[str, Any]] = []
    for place in range(0, len(rows), config.rows_per_part):
        found = pq.read_table(BytesIO(attempt.files.cat_file(_path(attempt, place)))).to_pylist()
        kept: list[dict[str, Any]] = []
        for row, answer in zip(rows[place : place + config.rows_per_part], found, strict=True):
            if answer["rule"]:
                refused.append({"row_id": row["row_id"], "rule": answer["rule"], "reason": answer["reason"], "uri": ""})
            else:
                given = row.get("id")
                kept.append({**answer, "parents": [row["row_id"]], "id": None if given is None else str(given)})
        table = pa.Table.from_pylist(kept, schema=schemas.ANSWERS)
        attempt.write_table(table, schemas.ANSWERS, f"part-{place:09}.parquet")
    attempt.set_aside(refused)
    manifest = attempt.commit(input_ids=[row["row_id"] for row in rows])
    attempt.files.rm(f"{fsspec.url_to_fs(attempt.target)[1]}/{_PARTIAL}", recursive=True)
    return manifest
