"""One run of `llmops_pipeline` under a running Airflow: triggered, followed to its end, and told stage by stage."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from scripts.local_airflow import Client, PlatformError

DAG = "llmops_pipeline"
DECISIONS = ("train_wanted", "publish_allowed", "describe_decision", "ask")
"""Tasks that decide and make nothing."""
_ENDED = {"success", "failed", "skipped", "upstream_failed", "removed"}
_PARSE_SECONDS = 300
_PERIOD_SECONDS = 2.0
_QUIET_SECONDS = 20.0
"""Between two progress lines where there is no terminal to overwrite one on."""


@dataclass(frozen=True)
class StageRun:
    """How a stage went."""

    name: str
    state: str
    started: datetime | None
    seconds: float
    manifest: dict[str, Any] | None
    """What it left, if anything."""
    reason: str
    """Why it was skipped or failed."""

    @property
    def is_reused(self) -> bool:
        """Whether the artifact was committed by an earlier run."""
        return bool(
            self.manifest and self.started and datetime.fromisoformat(self.manifest["created_at"]) < self.started
        )


@dataclass(frozen=True)
class PipelineRun:
    """A run that ended."""

    run_id: str
    state: str
    seconds: float
    """From the trigger to the end of the last stage."""
    stages: dict[str, StageRun]


def wait_for_dag(client: Client, since: datetime) -> None:
    """Wait until Airflow has parsed the DAG's file anew, so that an older version in its database is not run."""
    deadline = time.monotonic() + _PARSE_SECONDS
    while time.monotonic() < deadline:
        for problem in client.call("GET", "importErrors")["import_errors"]:
            raise PlatformError(f"{problem['filename']} is no DAG:\n{problem['stack_trace'][-2000:]}")
        found = {dag["dag_id"]: dag for dag in client.call("GET", "dags")["dags"]}
        if DAG in found and datetime.fromisoformat(found[DAG]["last_parsed_time"]) > since:
            return
        time.sleep(_PERIOD_SECONDS)
    raise PlatformError(f"Airflow did not parse the DAG within {_PARSE_SECONDS} s; look into dag-processor.log")


def pause(client: Client, paused: bool) -> bool:
    """Pause the DAG or let it run; whether it was paused before."""
    before = bool(client.call("GET", f"dags/{DAG}")["is_paused"])
    client.call("PATCH", f"dags/{DAG}", {"is_paused": paused})
    return before


def give_up(client: Client, prefix: str) -> None:
    """Mark unfinished runs whose id starts with `prefix` as failed: nothing of them starts any more."""
    for run in client.call("GET", f"dags/{DAG}/dagRuns?state=running&state=queued")["dag_runs"]:
        if run["dag_run_id"].startswith(prefix):
            client.call("PATCH", f"dags/{DAG}/dagRuns/{run['dag_run_id']}", {"state": "failed"})


def follow(
    client: Client, logs: Path, conf: dict[str, Any], run_id: str, tell: Callable[[StageRun], None]
) -> PipelineRun:
    """Trigger a run and follow it to its end; `tell` hears of each stage as it ends, stderr of what is under way.

    A stage that failed with an error of ours is not waited for to be tried again: it would fail in the same way.
    """
    started = time.monotonic()
    client.call("POST", f"dags/{DAG}/dagRuns", {"dag_run_id": run_id, "logical_date": None, "conf": conf})
    stages: dict[str, StageRun] = {}
    retried: set[tuple[str, int]] = set()
    progress = _Progress()
    while True:
        tasks = client.call("GET", f"dags/{DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
        for task in sorted(tasks, key=lambda task: (task["end_date"] or "", task["start_date"] or "")):
            name, attempt = task["task_id"], task["try_number"]
            if task["state"] in _ENDED and name not in stages:
                progress.clear()
                stages[name] = _describe(client, logs, run_id, task)
                tell(stages[name])
            elif task["state"] == "up_for_retry" and (name, attempt) not in retried:
                retried.add((name, attempt))
                progress.clear()
                words = _last_words(logs, run_id, name, attempt)
                if words.startswith("error: "):
                    client.call("PATCH", f"dags/{DAG}/dagRuns/{run_id}", {"state": "failed"})
                    stages[name] = StageRun(name, "failed", None, task["duration"] or 0.0, None, words)
                    return PipelineRun(run_id, "failed", time.monotonic() - started, stages)
                print(f"  {name} broke off and is tried again: {words or 'it left no log'}", flush=True)
        if tasks and all(task["task_id"] in stages for task in tasks):
            state = client.call("GET", f"dags/{DAG}/dagRuns/{run_id}")["state"]
            if state in {"success", "failed"}:
                return PipelineRun(run_id, state, time.monotonic() - started, stages)
        progress.show([_under_way(logs, run_id, task) for task in tasks if task["state"] == "running"])
        time.sleep(_PERIOD_SECONDS)


def read_log(logs: Path, run_id: str, task: str, attempt: int = 1) -> list[str]:
    """What a task printed and Airflow said about it, line by line; empty before it starts."""
    path = logs / f"dag_id={DAG}/run_id={run_id}/task_id={task}/attempt={attempt}.log"
    if not path.exists():
        return []
    return [str(record.get("event", "")) for record in _json_lines(path.read_text(errors="replace"))]


def _describe(client: Client, logs: Path, run_id: str, task: dict[str, Any]) -> StageRun:
    name, manifest, reason = task["task_id"], None, ""
    if task["state"] == "success" and name not in DECISIONS:
        path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances/{name}/xcomEntries/return_value"
        manifest = json.loads((Path(client.call("GET", path)["value"]) / "_manifest.json").read_text())
    elif task["state"] != "success" and task["start_date"]:
        reason = _last_words(logs, run_id, name, task["try_number"])
    begun = datetime.fromisoformat(task["start_date"]) if task["start_date"] else None
    return StageRun(name, task["state"], begun, task["duration"] or 0.0, manifest, reason)


def _last_words(logs: Path, run_id: str, task: str, attempt: int) -> str:
    """The line with which a stage said why it failed or was refused; empty for a task that never ran."""
    lines = read_log(logs, run_id, task, attempt)
    spoken = [line for line in lines if line.startswith(("error: ", "not done: "))]
    return spoken[-1] if spoken else next((line for line in reversed(lines) if line.strip()), "")


def _under_way(logs: Path, run_id: str, task: dict[str, Any]) -> str:
    seconds = time.time() - datetime.fromisoformat(task["start_date"]).timestamp() if task["start_date"] else 0
    line = f"{task['task_id']} {seconds:.0f} s"
    recent = read_log(logs, run_id, task["task_id"], task["try_number"])[-50:]
    for record in reversed(list(_json_lines("\n".join(recent)))):
        if "done" in record and "total" in record:
            left = f", {record['seconds_left']} s left" if "seconds_left" in record else ""
            return f"{line}: {record['done']:,} of {record['total']:,} {record.get('unit', '')}{left}"
    return line


def _json_lines(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # a library's own words
        if isinstance(record, dict):
            yield record


class _Progress:
    """One line that is overwritten on a terminal, and repeated now and then elsewhere."""

    def __init__(self) -> None:
        self._shown = ""
        self._quiet_since = time.monotonic()

    def show(self, lines: list[str]) -> None:
        text = "  … " + " · ".join(lines) if lines else ""
        if sys.stderr.isatty():
            print(f"\r\033[K{text[:110]}", end="", file=sys.stderr, flush=True)
        elif text and time.monotonic() - self._quiet_since > _QUIET_SECONDS:
            self._quiet_since = time.monotonic()
            print(text, file=sys.stderr, flush=True)
        self._shown = text

    def clear(self) -> None:
        if self._shown and sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        self._shown = ""
