"""DAGs for `test_scheduler.py`: each run says which day it is about, and whether it counts as a backfill."""

from datetime import UTC, datetime

import shared
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, Param

SCHEDULES = {
    "daily_probe": CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    "asset_probe": [Asset("day_delivered")],
}

for dag_id, schedule in SCHEDULES.items():
    with DAG(
        dag_id=dag_id,
        schedule=schedule,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        params={"day": Param(None, type=["null", "string"]), "train": Param("auto")},
        user_defined_macros={"run_day": shared.run_day, "is_training_wanted": shared.is_training_wanted},
    ) as probe:
        BashOperator(
            task_id="say",
            bash_command='echo "$DAY $TRAIN"',
            env={"DAY": "{{ run_day(dag_run, params) }}", "TRAIN": "{{ is_training_wanted(dag_run, params) }}"},
            retries=2,
        )
    globals()[dag_id] = probe
