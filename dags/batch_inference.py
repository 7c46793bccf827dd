"""Answers to a table of questions, by the champion, at the engine's full throughput.

The table is Parquet with a column `prompt`, and if wanted `context` and `id`. The answers are the artifact
`answers/ds=DAY` in the lake; what could not be answered lies in its quarantine with the reason.

## Parameters

| name | meaning |
| --- | --- |
| `questions` | file or folder of Parquet: a path or `s3://`, … address; `DAY` in it stands for the run's day |
| `day` | the day to work on; empty: the last complete day |
| `force` | answer again what is answered already |

    airflow dags trigger batch_inference --conf '{"questions": "/data/questions/DAY", "day": "2026-11-02"}'

Runs when someone starts it, or every day when `LLMOPS_BATCH_QUESTIONS` names the table. A run that was interrupted goes
on after the last part that it had answered: clear the failed task. The engine and its limits are those of the service
(`LLMOPS_SERVING_*`); it loads a model of its own, so it takes the one slot of the pool `training`.
Developers and Admins may start it.
"""

import os
from datetime import UTC, datetime, timedelta

import shared
from airflow.sdk import DAG, Param

QUESTIONS = os.environ.get("LLMOPS_BATCH_QUESTIONS") or ""
PARAMS = {
    "questions": shared.address_param(QUESTIONS or "questions/DAY", "File or folder of Parquet; DAY is the run's day"),
    "day": shared.day_param(),
    "force": Param(False, type="boolean", description="Answer again what is answered already"),
}

with DAG(
    dag_id="batch_inference",
    description="Answers to a table of questions, by the champion",
    doc_md=__doc__,
    schedule=shared.daily_schedule() if QUESTIONS else None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    default_args=shared.RETRIES,
    params=PARAMS,
    user_defined_macros={"run_day": shared.run_day},
    tags=["llmops"],
) as dag:
    shared.run_command(
        "generate-batch",
        '"${QUESTIONS//DAY/$DAY}" "$LAKE/answers/ds=$DAY"',
        variables={"QUESTIONS": "{{ params.questions }}"},
        timeout=timedelta(hours=24),
        pool="training",
    )
