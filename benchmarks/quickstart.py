"""What orchestration costs: the demo's run under Airflow against the same stages run by hand, each in an empty lake.

Both run the same commands on this machine, one after the other: first Airflow, which so pays for cold file caches.
Prints seconds and peak memory of every stage either way. The figure is the time from trigger to publication over the
sum of the stages by hand. Stages that Airflow runs side by side count for it.
"""

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import demo, pipeline_run
from scripts.local_airflow import HOME, PROJECT, Client, PlatformError, environment
from scripts.memory import MemoryWatch
from scripts.pipeline_run import DECISIONS, PipelineRun
from scripts.prepare import apply_features
from scripts.processes import Processes
from scripts.verdict import judge

BOUND = 1.5
SAMPLE_SECONDS = 0.5
FOLDER = HOME / "benchmarks/quickstart"
TRACKING = {"LLMOPS_TRACKING_URI": f"sqlite:///{FOLDER}/mlflow.db"}


@dataclass(frozen=True)
class Cost:
    """What a stage took."""

    seconds: float
    peak_bytes: int


def main() -> int:
    """Measure both ways; the exit status."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    lakes = {name: FOLDER / name for name in ("airflow", "by-hand")}
    processes = Processes(HOME / "run")
    for lake in lakes.values():
        apply_features(lake)
    try:
        with demo.ended_afterwards(processes):
            run, commands, orchestrated, peak_bytes = measure_airflow(processes, lakes["airflow"])
            by_hand = {name: measure_by_hand(processes, name, command, lakes) for name, command in commands.items()}
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print_table(orchestrated, by_hand)
    total = sum(cost.seconds for cost in by_hand.values())
    print(f"trigger to publication {run.seconds:.1f} s; stages by hand {total:.1f} s in sum")
    print(f"peak memory with Airflow's own processes: {peak_bytes / 2**20:,.0f} MiB")
    line, status = judge("quickstart", run.seconds / total, "<=", BOUND)
    print(line)
    return status


def measure_airflow(
    processes: Processes, lake: Path
) -> tuple[PipelineRun, dict[str, dict[str, Any]], dict[str, Cost], int]:
    """A run of the demo's day into an empty lake: the run, its commands in their order, their costs, the whole peak."""
    with (
        demo.airflow(processes, {"LLMOPS_LAKE": str(lake), **TRACKING}) as client,
        MemoryWatch(processes, SAMPLE_SECONDS) as memory,
    ):
        print("under Airflow:")
        run = demo.run_pipeline(client, demo.SHOP, demo.tell)
        if run.state != "success" or run.stages["publish"].state != "success":
            demo.explain_failure(run)
            raise PlatformError("the run published nothing, so there is nothing to compare")
        stages = [stage for stage in run.stages.values() if stage.name not in DECISIONS]
        commands = {stage.name: read_command(client, run.run_id, stage.name) for stage in stages}
    processes.stop()  # the machine is the stages' own when they run by hand
    peaks = memory.peak_bytes_by_task
    costs = {stage.name: Cost(stage.seconds, peaks.get(stage.name, 0)) for stage in stages}
    return run, commands, costs, memory.peak_bytes


def read_command(client: Client, run_id: str, task: str) -> dict[str, Any]:
    """The command that a task ran, and its variables."""
    found = client.call("GET", f"dags/{pipeline_run.DAG}/dagRuns/{run_id}/taskInstances/{task}")
    fields: dict[str, Any] = found["rendered_fields"]
    return fields


def measure_by_hand(processes: Processes, name: str, command: dict[str, Any], lakes: dict[str, Path]) -> Cost:
    """The same command, from a shell, over the other lake."""
    first, second = str(lakes["airflow"]), str(lakes["by-hand"])
    variables = {key: value.replace(first, second) for key, value in command["env"].items()}
    started = time.monotonic()
    with MemoryWatch(processes, SAMPLE_SECONDS) as memory:
        processes.start(name, ["bash", "-c", command["bash_command"]], environment(variables | TRACKING), PROJECT)
        status = processes.wait(name)
    cost = Cost(time.monotonic() - started, memory.peak_bytes)
    if status:
        raise PlatformError(f"{name} failed by hand:\n{processes.tail(name)}")
    print(f"  by hand: {name} {cost.seconds:.1f} s", flush=True)
    return cost


def print_table(orchestrated: dict[str, Cost], by_hand: dict[str, Cost]) -> None:
    """Both costs of every stage."""
    print(f"\n{'stage':<14}{'Airflow s':>10}{'by hand s':>10}{'Airflow MiB':>13}{'by hand MiB':>13}")
    for name, cost in orchestrated.items():
        other = by_hand[name]
        print(
            f"{name:<14}{cost.seconds:>10.1f}{other.seconds:>10.1f}"
            f"{cost.peak_bytes / 2**20:>13,.0f}{other.peak_bytes / 2**20:>13,.0f}"
        )


if __name__ == "__main__":
    sys.exit(main())
