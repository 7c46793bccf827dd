"""Takes a person out of every store, for good, and has the model trained again if it learnt from them.

The first task runs

    llmops erase --subject SUBJECT --reason REASON

which puts the person on the suppression list, so that no later run and no backfill brings them back, rewrites what
holds them, searches every store afterwards, and leaves a signed certificate in the lake, below `erasures/`. The second
asks whether the champion learnt from somebody who was erased; if so, the third starts `llmops_pipeline` for the
champion's day: the data is what it is without the person, and the model is trained, judged and published as ever.

## Parameters

| name | meaning |
| --- | --- |
| `subject` | the person's id as the sources give it, or better a pseudonym of it |
| `reason` | what the certificate says: `request`, `consent_withdrawn`, `retention` or `court_order` |
| `recipe` | file in `recipes/` for the training |

    airflow dags trigger erase_subject --conf '{"subject": "<SUBJECT:0123456789abcdef>"}'

**Airflow keeps a run's parameters**, in its database and on its pages, and no erasure reaches them. So give a
pseudonym, which tells nothing without the key: `llmops erasure pseudonym ID` prints it. If an id was given all the
same, delete the run (in the UI: *Delete*) once it has succeeded.

## Who may start it

An Admin: what is erased does not come back. Outside development the workers have an Admin's key in `LLMOPS_ACCESS_KEY`.

## What a skipped task means

`erasure_due` is skipped when the champion learnt from nobody who was erased: nothing is to be trained.

## When the task fails

Run again it goes on where it was; it is tried three times. `found in … places` names what is left and where: files that
no rule of the erasure covers. Remove the name there by hand, then clear the task.

The task takes its turn with whatever else writes to the feature store. A stage that is at work on data that the person
is taken out of does not commit it, fails and is tried again.
"""

from datetime import UTC, datetime, timedelta

import shared
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param

PARAMS = {
    "subject": Param(
        type="string",
        pattern=r"^[^\s-][^\x00-\x1f]{0,255}$",
        description="The person's id, or a pseudonym (`llmops erasure pseudonym ID`)",
    ),
    "reason": Param("request", enum=["request", "consent_withdrawn", "retention", "court_order"]),
    "recipe": Param("quickstart", enum=shared.recipe_names(), description="File in recipes/, without .toml"),
}

with DAG(
    dag_id="erase_subject",
    description="Takes a person out of every store",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=shared.RETRIES,
    params=PARAMS,
    user_defined_macros={"run_day": shared.run_day},
    tags=["llmops"],
) as dag:
    erase = shared.run_command(
        "erase",
        '--subject "$SUBJECT" --reason "$REASON"',
        variables={"SUBJECT": "{{ params.subject }}", "REASON": "{{ params.reason }}"},
        timeout=timedelta(hours=12),
        pool="feature_store",
    )
    due = shared.run_command("erasure due", "", variables={}, timeout=timedelta(minutes=30))
    retrain = TriggerDagRunOperator(
        task_id="retrain",
        trigger_dag_id="llmops_pipeline",
        conf={
            "day": "{{ ti.xcom_pull(task_ids='erasure_due') }}",
            "recipe": "{{ params.recipe }}",
            "train": "yes",
        },
    )
    erase >> due >> retrain
