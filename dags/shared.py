"""What the DAGs here share: where the project stands, which day a run is about, how a task runs one `llmops` command.

Imports Airflow and the standard library only: the scheduler parses these files again and again.
"""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.providers.standard.sensors.bash import BashSensor
from airflow.sdk import Asset, CronDataIntervalTimetable, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException

PROJECT = Path(os.environ.get("LLMOPS_PROJECT") or Path(__file__).resolve().parent.parent)
"""Root of the repository: where `llmops` commands run and relative paths start."""
_LAKE = os.environ.get("LLMOPS_LAKE") or f"{os.environ.get('LLMOPS_HOME') or '.llmops'}/lake"
LAKE = _LAKE if "://" in _LAKE else str(PROJECT / _LAKE)
"""Root of all artifacts; the same variables and defaults as in `llmops.settings`, made absolute."""
SOURCE = os.environ.get("LLMOPS_SOURCE") or "examples/shop"
"""Root of the raw data, unless a run names another one."""
SCHEDULE = os.environ.get("LLMOPS_SCHEDULE") or "0 0 * * *"
"""Cron expression (UTC) of the daily run; `none` leaves only the runs that someone starts."""

IS_APPROVAL_NEEDED = os.environ.get("LLMOPS_ENVIRONMENT") != "development" or os.environ.get(
    "LLMOPS_REQUIRE_APPROVAL", ""
).lower() in {"1", "true", "t", "yes", "y", "on"}
"""Whether a person has to approve each release; as `llmops publish` sees it."""
APPROVAL_PATIENCE = timedelta(days=7)
"""How long a release waits for a person's answer."""

PUBLISHED = Asset("llmops_release")
"""A release that was published, as champion or as its challenger."""

RETRIES = {
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}
"""Waits about 20 and 40 seconds; a stage that was interrupted starts anew and commits whole or not at all."""


ACTOR = "airflow: {{ dag_run.triggering_user_name or 'schedule' }}, {{ dag.dag_id }}, {{ run_id }}"
"""Who stands behind a task, for the audit log."""


class Run(Protocol):
    """The part of Airflow's `dag_run` that is read here."""

    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    run_type: str


def run_day(dag_run: Run, params: Mapping[str, Any]) -> str:
    """The day, as YYYY-MM-DD in UTC, that a run is about, whatever started it.

    The param `day` decides where it is given. Else it is the day on which the data interval starts: scheduled and
    backfilled runs have one, and so have manual ones with a logical date. Else (manual, asset-triggered, or an interval
    without length, which says nothing) it is the last day that was complete when the run became due.

    Raises ValueError for a `day` that is no date.
    """
    if params.get("day"):
        return date.fromisoformat(params["day"]).isoformat()
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    if start is not None and end is not None and start < end:
        return start.astimezone(UTC).date().isoformat()
    due = start or dag_run.run_after
    return (due.astimezone(UTC).date() - timedelta(days=1)).isoformat()


def is_training_wanted(dag_run: Run, params: Mapping[str, Any]) -> bool:
    """Whether the run goes on to the model: the param `train` says so, and `auto` means all but backfilled runs."""
    return {"yes": True, "no": False}.get(params["train"], not is_backfill(dag_run))


def is_backfill(dag_run: Run) -> bool:
    """Whether `airflow backfill` (or its button) made the run; such a run never moves the champion."""
    return dag_run.run_type == "backfill"  # a str Enum: str() of it would be "DagRunType.BACKFILL"


def daily_schedule() -> CronDataIntervalTimetable | None:
    """Runs whose data interval is the day that has just ended, or None for no scheduled runs."""
    return None if SCHEDULE == "none" else CronDataIntervalTimetable(SCHEDULE, timezone="UTC")


def recipe_names() -> list[str]:
    """Names of the files in recipes/, without `.toml`."""
    return sorted(path.stem for path in (PROJECT / "recipes").glob("*.toml"))


def stage(
    command: str, arguments: str, *, timeout: timedelta, pool: str | None = None, outlets: Sequence[Asset] = ()
) -> BashOperator:
    """A task that runs one stage as `llmops … COMMAND ARGUMENTS` under the run's recipe."""
    variables = {
        "RECIPE": "recipes/{{ params.recipe }}.toml",
        "SOURCE": "{{ params.source }}",
        "MODEL": LAKE + "/models/{{ params.recipe }}",
        "RECOLLECT": "{{ 'yes' if params.recollect else '' }}",
    }
    return run_command(
        command,
        arguments,
        options='--recipe "$RECIPE" ',
        variables=variables,
        timeout=timeout,
        pool=pool,
        outlets=outlets,
    )


def run_command(
    command: str,
    arguments: str,
    *,
    variables: Mapping[str, str],
    timeout: timedelta,
    options: str = "",
    pool: str | None = None,
    outlets: Sequence[Asset] = (),
) -> BashOperator:
    """A task that runs `llmops OPTIONS COMMAND ARGUMENTS`.

    `arguments` may refer to `variables`, and to DAY, LAKE and FORCE, as "$NAME" in double quotes. Values reach the
    shell through its environment and are never part of the command's text, so that no param can become a command. The
    last line that the command prints, the artifact's URI, is the task's XCom. Exit status 99 (refused, for a reason in
    the log) skips the task and what follows it; the run still succeeds. `outlets` are told when it has succeeded.
    """
    return BashOperator(
        task_id=command.replace("-", "_").replace(" ", "_"),
        bash_command=f"exec llmops {options}${{FORCE:+--force}} {command} {arguments}",
        env={
            "DAY": "{{ run_day(dag_run, params) }}",
            "LLMOPS_LAKE": LAKE,
            "LLMOPS_ACTOR": ACTOR,
            "LAKE": LAKE,
            "FORCE": "{{ 'yes' if params.get('force') else '' }}",
            **variables,
        },
        append_env=True,
        cwd=str(PROJECT),
        skip_on_exit_code=99,
        execution_timeout=timeout,
        outlets=list(outlets),
        **({"pool": pool} if pool else {}),
    )


def ask_for_approval(described_by: str) -> HITLOperator:
    """A task that waits, without a worker, until a person has answered in Airflow: Approve or Reject, with a note.

    `described_by` is the task whose XCom says what is asked, as JSON with `subject` and `body`. Unlike Airflow's
    ApprovalOperator a rejection skips nothing by itself: the next task records it as well, and ends the run there.
    """
    return HITLOperator(
        task_id="ask",
        subject=f"{{{{ asked(ti.xcom_pull(task_ids='{described_by}'), 'subject') }}}}",
        body=f"{{{{ asked(ti.xcom_pull(task_ids='{described_by}'), 'body') }}}}",
        options=["Approve", "Reject"],
        params={
            "note": Param(
                None,
                type=["null", "string"],
                maxLength=2000,
                description="Why, if you like; kept with the release",
            )
        },
        response_timeout=APPROVAL_PATIENCE,
        retries=0,  # who did not answer is not asked again
    )


def asked(described: str, part: str) -> str:
    """The `subject` or `body` of what a person is asked."""
    return str(json.loads(described)[part])


def answered(answer: Mapping[str, Any], part: str) -> str:
    """The `choice`, `by`, `at` or `note` of what a person answered to `ask_for_approval`."""
    if part == "choice":
        return str(answer["chosen_options"][0]).lower()
    if part == "note":
        return str((answer["params_input"] or {}).get("note") or "")
    if part == "at":
        moment = answer["responded_at"]
        return str(moment if isinstance(moment, str) else moment.isoformat())
    return str(answer["responded_by_user"]["name"])


class _CommandSensor(BashSensor):
    """A BashSensor that takes the worker's environment along, as BashOperator does with `append_env`, and that is
    tried again when its command has failed, where BashSensor would give up for good.
    """

    def poke(self, context: Any) -> Any:
        # Only now, so that nothing of the environment is rendered, stored and shown.
        self.env = {**os.environ, **(self.env or {})}
        try:
            return super().poke(context)
        except AirflowFailException as error:
            raise AirflowException(str(error)) from error


def wait_for_command(
    command: str, *, period: timedelta, timeout: timedelta, retries: int, name: str | None = None
) -> BashSensor:
    """A task that runs `llmops COMMAND` each `period` until its exit status is 0 instead of 75 (not yet).

    Between two looks it holds no worker. It fails after `timeout`, and when the command has failed `retries` times.
    """
    return _CommandSensor(
        task_id=name or command.replace(" ", "_"),
        bash_command=f'cd "$PROJECT" && exec llmops {command}',
        env={"LLMOPS_LAKE": LAKE, "LLMOPS_ACTOR": ACTOR, "PROJECT": str(PROJECT)},
        retry_exit_code=75,
        mode="reschedule",
        poke_interval=period.total_seconds(),
        timeout=timeout.total_seconds(),
        retries=retries,
    )


def day_param() -> Param:
    """The form's field for `run_day`."""
    return Param(
        None,
        type=["null", "string"],
        format="date",
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="Day to work on; empty: the run's own day",
    )


def address_param(default: str, description: str) -> Param:
    """A field for a folder, file or address, with nothing in it that means something to a shell."""
    return Param(default, type="string", pattern=r"^[A-Za-z0-9./~][A-Za-z0-9._:/~@%+=-]*$", description=description)
