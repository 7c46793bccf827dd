"""From a day's raw data to the model that is served, in one DAG.

Every day, and whenever someone starts it: collect the day's raw rows, redact and clean them, make examples, bring the
customers' orders into the feature store; then train on all days so far, compare with what is served, and publish what
is better. Each task is one `llmops` command that leaves one artifact with a manifest in the lake, and can be run by
hand in the same way (*Rendered templates* shows it).

## Parameters

| name | meaning |
| --- | --- |
| `recipe` | file in `recipes/` that configures every stage |
| `day` | the day to work on; empty: the run's data interval, or the last complete day |
| `source` | root of the raw data: a folder or `http(s)://`, `s3://`, … address |
| `train` | `auto` trains unless the run is a backfill; `yes` and `no` decide it |
| `recollect` | read the sources again, although the day's raw data is frozen |
| `force` | recompute what stands already |

Example: `{"day": "2026-11-02", "source": "examples/shop", "recipe": "quickstart"}`

    airflow dags trigger llmops_pipeline --conf '{"day": "2026-11-02"}'

## Many days at once

    airflow backfill create --dag-id llmops_pipeline --from-date 2026-11-02 --to-date 2026-11-04 --max-active-runs 2

makes the data artifacts of each day and trains nothing. `--dag-run-conf '{"train": "yes"}'` also trains and evaluates
each day's model. A backfilled run never publishes. Days that ran already are left out; `--reprocess-behavior completed`
takes them too. Airflow takes one backfill of a DAG at a time, and ends it about half a minute after its last run.

## What a skipped task means

The command had nothing to do and said why in its log (`not done: …`): no source has anything for the day, the recipe
names no source of orders, the candidate is no better, it is champion already, another one is being tried. What depends
on it is skipped as well, and the run succeeds.

## Canaries

With `[publish] canary = true` in the recipe a release is tried on part of the traffic first; the DAG `canary` follows
it to its end. Meanwhile what this DAG makes is not published.

## Approval

Outside development (`LLMOPS_ENVIRONMENT`) nothing is published that no person has approved. The task `ask` waits in
*Required Actions*, with the gate's reasons and the places of the reports, up to seven days and without a worker. The
answer, who gave it, when and with which note is recorded, signed and kept with the release, a rejection likewise; then
the run ends without publishing. A decision that the gate refused is not shown to anybody. By hand the same is

    llmops approve LAKE/decisions/as_of=DAY LAKE/approvals/as_of=DAY --choice approve --by NAME --note WHY

## Who may start it

Developers and Admins: what it makes is published by the gate alone. The tasks `import_model` and `publish` are an
Admin's, so the workers have an Admin's key in `LLMOPS_ACCESS_KEY` outside development; without it they end with exit
status 77 and say so. `force` gives nobody more: the gate decides anew.

## When a task fails

It is tried three times, then the run stops. Nothing is half committed: what was made stands, what was not is invisible.
Read the last lines of the task's log, they name the remedy; repair the cause; then clear the failed task (in the grid:
*Clear task*, with *downstream*). A task that waits forever in `scheduled` lacks its pool: `airflow pools import
dags/pools.json` creates `feature_store` and `training`, one slot each, so that runs of several days take turns there.

## Deployment

Variables read by this file: `LLMOPS_SCHEDULE` (cron in UTC, default midnight; `none`), `LLMOPS_SOURCE`, `LLMOPS_LAKE`,
`LLMOPS_PROJECT` (root of the repository). `llmops` must be on the workers' PATH.
"""

from datetime import UTC, datetime, timedelta

import shared
from airflow.sdk import DAG, Param, TaskGroup, task

MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)

PARAMS = {
    "recipe": Param("quickstart", enum=shared.recipe_names(), description="File in recipes/, without .toml"),
    "day": shared.day_param(),
    "source": shared.address_param(shared.SOURCE, "Root of the raw data: folder or address"),
    "train": Param("auto", enum=["auto", "yes", "no"], description="auto: unless the run is a backfill"),
    "recollect": Param(False, type="boolean", description="Read the sources again; replaces the day's raw data"),
    "force": Param(False, type="boolean", description="Recompute what stands already"),
}

with DAG(
    dag_id="llmops_pipeline",
    description="From a day's raw data to the model that is served",
    doc_md=__doc__,
    schedule=shared.daily_schedule(),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,  # days do not depend on each other; pools order what must take turns
    max_active_tasks=4,
    default_args=shared.RETRIES,
    params=PARAMS,
    user_defined_macros={"run_day": shared.run_day, "asked": shared.asked, "answered": shared.answered},
    tags=["llmops"],
) as dag:
    with TaskGroup(
        "data", prefix_group_id=False, tooltip="One day, from its sources to examples and to what the service knows"
    ):
        collect = shared.stage(
            "collect", '"$SOURCE" "$LAKE/raw/ds=$DAY" --day "$DAY" ${RECOLLECT:+--recollect}', timeout=1 * HOURS
        )
        # Personal data leaves the raw text before anything else touches it.
        redact = shared.stage("redact", '"$LAKE/raw/ds=$DAY" "$LAKE/redacted/ds=$DAY"', timeout=1 * HOURS)
        clean = shared.stage("clean", '"$LAKE/redacted/ds=$DAY" "$LAKE/clean/ds=$DAY"', timeout=2 * HOURS)
        annotate = shared.stage("annotate", '"$LAKE/clean/ds=$DAY" "$LAKE/examples/ds=$DAY"', timeout=1 * HOURS)
        # The customers' recent orders, for the service; in backfills too, and the days in any order.
        materialize_customers = shared.stage(
            "materialize-customers",
            '"$LAKE/clean/ds=$DAY" "$LAKE/examples/ds=$DAY" "$LAKE/customers/ds=$DAY"',
            timeout=1 * HOURS,
            pool="feature_store",
        )
        collect >> redact >> clean >> annotate >> materialize_customers

    with TaskGroup("model", prefix_group_id=False, tooltip="All days up to this one, to a model"):

        @task.short_circuit
        def train_wanted(dag_run: shared.Run, params: dict[str, object]) -> bool:
            """End a run here that is about data only."""
            return shared.is_training_wanted(dag_run, params)

        @task.short_circuit
        def publish_allowed(dag_run: shared.Run) -> bool:
            """Keep every backfilled day away from the champion."""
            return not shared.is_backfill(dag_run)

        import_model = shared.stage("import-model", '"$MODEL"', timeout=1 * HOURS, pool="training")
        split = shared.stage("split", '"$LAKE/examples" "$LAKE/splits/as_of=$DAY" --as-of "$DAY"', timeout=30 * MINUTES)
        tokenize = shared.stage(
            "tokenize", '"$LAKE/splits/as_of=$DAY" "$MODEL" "$LAKE/tokens/as_of=$DAY"', timeout=1 * HOURS
        )
        materialize = shared.stage(
            "materialize",
            '"$LAKE/tokens/as_of=$DAY" "$LAKE/features/as_of=$DAY"',
            timeout=2 * HOURS,
            pool="feature_store",
        )
        tune = shared.stage(
            "tune",
            '"$LAKE/features/as_of=$DAY" "$MODEL" "$LAKE/tuning/as_of=$DAY"',
            timeout=24 * HOURS,
            pool="training",
        )
        finetune = shared.stage(
            "finetune",
            '"$LAKE/features/as_of=$DAY" "$MODEL" "$LAKE/tuning/as_of=$DAY" "$LAKE/adapters/as_of=$DAY"',
            timeout=24 * HOURS,
            pool="training",
        )
        evaluate = shared.stage(
            "evaluate",
            '"$LAKE/adapters/as_of=$DAY" "$LAKE/features/as_of=$DAY" "$MODEL" "$LAKE/evaluations/as_of=$DAY"',
            timeout=6 * HOURS,
            pool="training",
        )
        gate = shared.stage("gate", '"$LAKE/evaluations/as_of=$DAY" "$LAKE/decisions/as_of=$DAY"', timeout=10 * MINUTES)
        publish = shared.stage(
            "publish",
            '"$LAKE/decisions/as_of=$DAY" "$LAKE/releases"'
            + (' --approval "$LAKE/approvals/as_of=$DAY"' if shared.IS_APPROVAL_NEEDED else ""),
            timeout=30 * MINUTES,
            pool="training",
            outlets=[shared.PUBLISHED],
        )

        wanted, allowed = train_wanted(), publish_allowed()
        wanted >> [import_model, split]
        [import_model, split] >> tokenize
        tokenize >> materialize >> tune >> finetune >> evaluate >> gate >> allowed

        if shared.IS_APPROVAL_NEEDED:
            describe = shared.run_command(
                "describe-decision", '"$LAKE/decisions/as_of=$DAY"', variables={}, timeout=10 * MINUTES
            )
            ask = shared.ask_for_approval(describe.task_id)
            approve = shared.run_command(
                "approve",
                '"$LAKE/decisions/as_of=$DAY" "$LAKE/approvals/as_of=$DAY" '
                '--choice "$CHOICE" --by "$BY" --at "$AT" --note="$NOTE"',
                variables={
                    name.upper(): f"{{{{ answered(ti.xcom_pull(task_ids='ask'), '{name}') }}}}"
                    for name in ("choice", "by", "at", "note")
                },
                timeout=10 * MINUTES,
            )
            allowed >> describe >> ask >> approve >> publish
        else:
            allowed >> publish

    annotate >> split
