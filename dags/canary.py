"""Follows a challenger that is tried on part of the traffic, until it is champion or gone.

Runs when `llmops_pipeline` has published something (unless `LLMOPS_SCHEDULE` is `none`: then somebody has to start it),
one run for each trial. Each minute its task runs

    llmops canary judge

which reads what the services have logged since the trial began, and promotes the challenger, rolls it back, or lets it
answer more users. A run that finds nothing under way succeeds at once, so it may be started at any time:

    airflow dags trigger canary

There are no parameters: what a challenger has to prove was fixed when its trial began.

## What a task that waits means

It is not decided yet (`not yet: …` in its log says how far it is). Between two looks it holds no worker, and no state:
end it, or the whole of Airflow, and the next look starts where things stand. `llmops canary show` tells the numbers,
`llmops canary stop` ends the trial.

## When the task fails

It is tried again, up to 20 times in a trial: a look that was missed costs nothing but time. Then read the last lines of
its log, they name the remedy, and start a run by hand. Until then the share of users stays as it is, so a challenger
that turns out bad meanwhile is not rolled back: `llmops canary stop` does it.

## Who may start it

An Admin: what it runs promotes releases. Where Airflow has roles, a Developer sees it and cannot start it.

## Deployment

The task reads the services' logs: `LLMOPS_SERVICE_LOGS` is a pattern of files that the workers can open, by default
those of a service that `make up` has started. It writes pointers, so it needs the signing key, and
an Admin's key in `LLMOPS_ACCESS_KEY` outside development.
"""

from datetime import UTC, datetime, timedelta

import shared
from airflow.sdk import DAG

with DAG(
    dag_id="canary",
    description="Follows a challenger until it is champion or gone",
    doc_md=__doc__,
    schedule=None if shared.SCHEDULE == "none" else [shared.PUBLISHED],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=shared.RETRIES,
    tags=["llmops"],
) as dag:
    # A trial ends after `most_days` of its recipe; one that may go on for longer is followed anew by hand.
    shared.wait_for_command(
        "canary judge", name="judge", period=timedelta(minutes=1), timeout=timedelta(days=60), retries=20
    )
