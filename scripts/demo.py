"""`make demo`: from the sample shop's raw data to an answer, through Airflow, on this machine.

Starts Airflow, runs `llmops_pipeline` for one day, serves the model it published, asks both that model and the untuned
one a customer's question, and ends everything it started. Run again, it reuses what is committed in the lake. Other
data of yours goes the same way: name its recipe and root, and a home of its own (LLMOPS_HOME).
"""

import argparse
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from scripts import pipeline_run, service
from scripts.access import make_key
from scripts.local_airflow import HOME, Client, LocalAirflow, PlatformError
from scripts.loopback import free_port
from scripts.memory import MemoryWatch
from scripts.pipeline_run import DECISIONS, PipelineRun, StageRun
from scripts.prepare import lake
from scripts.processes import Processes

QUESTION = "I was given a Fjellbrook gift card two years ago. Is it still valid?"
SHOP = {"day": "2026-11-02", "source": "examples/shop", "recipe": "quickstart", "train": "yes"}
"""Params of the run over the sample shop."""
COMPONENTS = ("api-server", "scheduler", "dag-processor")  # nothing here defers, so no triggerer
_RUN_PREFIX = "demo__"
_WIDTH = 110


def main() -> int:
    """Run the demo; the exit status."""
    began, options = time.monotonic(), parse_options()
    processes = Processes(HOME / "run")
    try:
        with (
            ended_afterwards(processes),
            MemoryWatch(processes) as memory,
            airflow(processes, {"LLMOPS_LAKE": str(lake())}) as client,
        ):
            conf = SHOP | {"recipe": options.recipe, "source": options.source, "day": options.day}
            print(f"Airflow is up after {time.monotonic() - began:.0f} s; llmops_pipeline runs for {options.day}:")
            triggered = time.monotonic()
            run = run_pipeline(client, conf, tell)
            if run.state != "success":
                explain_failure(run)
                return 1
            print_scores(service.read_champion(lake())["scores"]["models"])
            answer_question(processes, options.question)
            seconds = time.monotonic() - triggered
        print(
            f"\n{seconds:.0f} s from trigger to answer, {time.monotonic() - began:.0f} s in all, "
            f"at most {memory.peak_bytes / 2**30:.1f} GiB of memory. {summarise(run)}"
        )
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; everything that was started has ended, what is committed stands", file=sys.stderr)
        return 130
    return 0


def parse_options() -> argparse.Namespace:
    """What to run on: the sample shop, unless the command line names other data."""
    parser = argparse.ArgumentParser(prog="demo", description="The whole pipeline once, and an answer.")
    parser.add_argument("--recipe", default=SHOP["recipe"], help="file in recipes/, without .toml")
    parser.add_argument("--source", default=SHOP["source"], help="root of the raw data: folder or address")
    parser.add_argument("--day", default=SHOP["day"], help="the day of that data, as YYYY-MM-DD")
    parser.add_argument("--question", default=QUESTION, help="what to ask")
    return parser.parse_args()


@contextmanager
def ended_afterwards(processes: Processes) -> Iterator[None]:
    """End whatever runs when the block ends, by itself, by an error, by Ctrl-C or SIGTERM.

    Raises PlatformError when something runs before it.
    """
    if processes.running():
        raise PlatformError("the platform is running already; `make down` ends it, then run this again")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        processes.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, before)


@contextmanager
def airflow(processes: Processes, variables: Mapping[str, str]) -> Iterator[Client]:
    """Airflow with the DAG ready to be triggered, and paused afterwards if it was before; `variables` reach its tasks.

    Nothing is scheduled meanwhile: only triggered runs happen.
    """
    since = datetime.now(UTC)
    client = LocalAirflow().start(processes, free_port(), {"LLMOPS_SCHEDULE": "none", **variables}, COMPONENTS)
    pipeline_run.wait_for_dag(client, since)
    pipeline_run.give_up(client, _RUN_PREFIX)  # of a demo that was killed
    was_paused = pipeline_run.pause(client, False)
    try:
        yield client
    finally:
        with suppress(PlatformError):  # Airflow may be what failed
            pipeline_run.give_up(client, _RUN_PREFIX)
            pipeline_run.pause(client, was_paused)


def run_pipeline(client: Client, conf: Mapping[str, str], tell: Callable[[StageRun], None]) -> PipelineRun:
    """One run with these params."""
    return pipeline_run.follow(
        client, LocalAirflow().logs, dict(conf), f"{_RUN_PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%S}", tell
    )


def tell(stage: StageRun) -> None:
    """One line about a stage that ended: its time, and what it kept, set aside and measured."""
    if stage.name in DECISIONS or stage.state in {"failed", "upstream_failed"}:
        return  # a decision shows in what follows it, a failure is told by `explain_failure`
    if stage.manifest is None:
        why = f": {stage.reason.removeprefix('not done: ')}" if stage.reason else ", as what it needs was not made"
        print(f"  {stage.name:<15}{stage.state}{why}", flush=True)
        return
    text = f"  {stage.name:<15}{stage.seconds:5.0f} s  {'reused · ' * stage.is_reused}{describe(stage.manifest)}"
    print(textwrap.fill(text, _WIDTH, subsequent_indent=" " * 26, drop_whitespace=True), flush=True)


def describe(manifest: dict[str, Any]) -> str:
    """Counts and metrics of an artifact, the rules under which rows were set aside behind their sum."""
    counts = dict(manifest["counts"])
    kept, aside = counts.pop("kept", 0), counts.pop("set_aside", 0)
    rules: list[str] = []
    while counts and sum(counts[name] for name in rules) < aside:  # rules come first, and sum up to the rows set aside
        rules.append(next(name for name in counts if name not in rules))
    parts = [f"kept {kept:,}"] if kept else []
    if aside:
        parts.append(f"set aside {aside:,} ({', '.join(f'{name} {counts.pop(name):,}' for name in rules)})")
    parts += [f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items()]
    for name, value in manifest["metrics"].items():
        parts.append(f"{name.replace('_', ' ')} {value:{',.0f' if value >= 1000 else '.4g'}}")
    return " · ".join(parts) or str(manifest["uri"]).rsplit("/", 1)[-1]


def explain_failure(run: PipelineRun) -> None:
    """The task that failed, the end of its log and what to do."""
    failed = next((stage for stage in run.stages.values() if stage.state == "failed"), None)
    if failed is None:
        print(f"error: run {run.run_id} failed without a failed task; look into {HOME}/run/*.log", file=sys.stderr)
        return
    attempts = [
        lines
        for number in range(1, 10)
        if (lines := pipeline_run.read_log(LocalAirflow().logs, run.run_id, failed.name, number))
    ]
    print(f"error: {failed.name} failed after {len(attempts)} attempts; the end of its log:", file=sys.stderr)
    print(textwrap.indent("\n".join(attempts[-1][-15:] if attempts else []), " " * 4), file=sys.stderr)
    print(f"{failed.reason}\nWhen that is repaired, run this again: what stands is reused.", file=sys.stderr)


def print_scores(models: dict[str, Any]) -> None:
    """Held-out scores of every model that was compared, as they stand in the champion's release."""
    print("\nHeld-out scores, with 95 % intervals (all others: report.html beside the evaluation):")
    for name, figures in models.items():
        shown = ((figure, figures[figure]) for figure in ("perplexity", "token_f1", "rouge_l") if figure in figures)
        cells = (f"{figure} {found['value']:.3g} [{found['low']:.3g}, {found['high']:.3g}]" for figure, found in shown)
        print(f"  {name:<13}" + "   ".join(cells))


def answer_question(processes: Processes, question: str) -> None:
    """Serve the champion and put the question to it and to the untuned model."""
    address, key = service.start(processes, free_port(), lake()), make_key(HOME)
    print(f"\nPOST {address}/generate\n  question     {question}")
    for model in ("champion", "base"):
        answer = service.ask(address, key, question, model)
        text = textwrap.fill(answer["answer"], _WIDTH - 15, subsequent_indent=" " * 15)
        print(f"  {model:<13}{text}\n{' ' * 15}— {answer['model']}, {answer['usage']['completion_tokens']} tokens")


def summarise(run: PipelineRun) -> str:
    """Which stages had nothing to do."""
    reused = [stage.name for stage in run.stages.values() if stage.is_reused]
    skipped = [stage.name for stage in run.stages.values() if stage.state == "skipped"]
    told = [f"reused: {', '.join(reused)}"] if reused else []
    told += [f"skipped: {', '.join(skipped)}"] if skipped else []
    return "; ".join(told).capitalize() + "." if told else ""


if __name__ == "__main__":
    sys.exit(main())
