"""Runs of every kind under a real Airflow: API server, scheduler, DAG processor, tasks in processes of their own."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmops.publishing import pointers
from llmops.publishing.canary.config import CanaryConfig
from llmops.publishing.pointers import ChallengerPointer, Pointer
from scripts.local_airflow import PROJECT, Client, LocalAirflow, PlatformError, environment
from scripts.loopback import free_port
from scripts.prepare import apply_features, prepare_airflow
from scripts.processes import Processes
from tests.shop_recipe import shop_recipe

COMPONENTS = ("api-server", "scheduler", "dag-processor")
PATIENCE_SECONDS = 240
DATA_STAGES = {"collect": "raw", "redact": "redacted", "clean": "clean", "annotate": "examples"}
CHAMPION = "whatever it is, no backfill may touch it"
RECIPE = """
[import_model]
base_model = "/no/such/model"
licence = "MIT"

[[collect.sources]]
name = "questions"
kind = "json"
path = "{day}/*.jsonl"
question = "{question}"
answer = "{answer}"
"""


@dataclass
class Site:
    """A project of its own with one day of data after another, and the Airflow that works on it."""

    client: Client
    airflow: LocalAirflow
    port: int
    project: Path
    lake: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), tiny_model_folder) as started:
        yield started


@contextmanager
def running_site(root: Path, tiny_model_folder: Path, **variables: str) -> Iterator[Site]:
    """Airflow with the DAGs, on a project of its own below `root`; `variables` reach Airflow and its tasks."""
    project = write_project(root / "project", tiny_model_folder)
    dags = root / "dags"
    shutil.copytree(PROJECT / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("day_probe.py"), dags)
    airflow, processes, port = LocalAirflow(root / "airflow", dags), Processes(root / "run"), free_port()
    prepare_airflow(airflow)
    extra = {"LLMOPS_PROJECT": str(project), "LLMOPS_HOME": str(root), "LLMOPS_SOURCE": str(project / "shop")}
    extra |= variables
    extra["LLMOPS_FEATURE_REPO"] = str(PROJECT / "feature_repo")
    subprocess.run(["llmops", "create-keys"], cwd=project, env=environment(extra), capture_output=True, check=True)
    apply_features(root / "lake")
    try:
        client = airflow.start(processes, port, extra, COMPONENTS)
        for dag_id in ("daily_probe", "asset_probe", "canary", "llmops_pipeline"):
            wait_until(lambda dag_id=dag_id: knows(client, dag_id))
            client.call("PATCH", f"dags/{dag_id}", {"is_paused": False})
        yield Site(client, airflow, port, project, root / "lake")
    finally:
        processes.stop()
    assert processes.members() == set()


def write_project(project: Path, model: Path) -> Path:
    """Two recipes and four days of raw data for the first; the second is for the sample shop and trains `model`."""
    (project / "recipes").mkdir(parents=True)
    (project / "recipes/quickstart.toml").write_text(RECIPE)
    (project / "recipes/tiny.toml").write_text(shop_recipe(model))
    for number in (2, 3, 4, 5):
        folder = project / f"shop/2026-02-0{number}"
        folder.mkdir(parents=True)
        rows = [
            {"question": f"Is tent {number}{letter} in stock?", "answer": f"Tent {number}{letter} is sold out."}
            for letter in "abc"
        ]
        (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return project


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, "Airflow did not get there"
        time.sleep(0.5)


def knows(client: Client, dag_id: str) -> bool:
    return dag_id in {dag["dag_id"] for dag in client.call("GET", "dags")["dags"]}


def trigger(site: Site, dag_id: str, conf: dict[str, Any], logical_date: str | None = None) -> str:
    body = {"logical_date": logical_date, "conf": conf}
    return str(site.client.call("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])


def ended_runs(site: Site, dag_id: str, run_type: str, count: int) -> list[dict[str, Any]]:
    """All runs of a kind that have ended, once there are `count` (or more: midnight may pass meanwhile)."""
    found: list[dict[str, Any]] = []

    def is_complete() -> bool:
        runs = site.client.call("GET", f"dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
        found[:] = [run for run in runs if run["run_type"] == run_type and run["state"] in {"success", "failed"}]
        return len(found) >= count

    wait_until(is_complete)
    return found


def said(site: Site, run: dict[str, Any]) -> str:
    """What the probe's task printed."""
    path = f"dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances/say/xcomEntries/return_value"
    return str(site.client.call("GET", path)["value"])


def states(site: Site, run_id: str) -> dict[str, str]:
    tasks = site.client.call("GET", f"dags/llmops_pipeline/dagRuns/{run_id}/taskInstances")["task_instances"]
    return {task["task_id"]: task["state"] for task in tasks}


def day_before(moment: str) -> str:
    return (datetime.fromisoformat(moment).astimezone(UTC).date() - timedelta(days=1)).isoformat()


def test_scheduled_run_is_about_the_day_that_has_ended(site: Site) -> None:
    run = ended_runs(site, "daily_probe", "scheduled", 1)[0]

    assert said(site, run) == f"{day_before(run['run_after'])} True"
    assert run["data_interval_start"] != run["data_interval_end"]


def test_the_pipeline_is_scheduled_and_works_on_the_day_that_has_ended(site: Site) -> None:
    run = ended_runs(site, "llmops_pipeline", "scheduled", 1)[0]
    task = site.client.call("GET", f"dags/llmops_pipeline/dagRuns/{run['dag_run_id']}/taskInstances/collect")

    assert run["state"] == "success"
    assert task["rendered_fields"]["env"]["DAY"] == day_before(run["run_after"])
    assert task["state"] == "skipped"  # the shop has nothing for it


def test_manual_run_is_about_its_interval_its_param_or_yesterday(site: Site) -> None:
    at_noon = trigger(site, "daily_probe", {}, "2026-02-05T12:00:00Z")
    by_param = trigger(site, "daily_probe", {"day": "2026-02-07", "train": "no"}, "2026-02-06T12:00:00Z")
    plain = trigger(site, "daily_probe", {})

    runs = {run["dag_run_id"]: run for run in ended_runs(site, "daily_probe", "manual", 3)}

    assert said(site, runs[at_noon]) == "2026-02-04 True"
    assert said(site, runs[by_param]) == "2026-02-07 False"
    assert said(site, runs[plain]) == f"{day_before(runs[plain]['run_after'])} True"
    assert runs[plain]["data_interval_start"] is None


def test_backfilled_runs_are_about_each_day_and_do_not_train(site: Site) -> None:
    body = {"dag_id": "daily_probe", "from_date": "2026-01-30T00:00:00Z", "to_date": "2026-02-01T00:00:00Z"}
    site.client.call("POST", "backfills", body)

    runs = ended_runs(site, "daily_probe", "backfill", 3)

    assert sorted(said(site, run) for run in runs) == ["2026-01-30 False", "2026-01-31 False", "2026-02-01 False"]


def test_run_triggered_by_an_asset_is_about_the_last_complete_day(site: Site) -> None:
    (asset,) = site.client.call("GET", "assets?name_pattern=day_delivered")["assets"]
    site.client.call("POST", "assets/events", {"asset_id": asset["id"]})

    (run,) = ended_runs(site, "asset_probe", "asset_triggered", 1)

    assert said(site, run) == f"{day_before(run['run_after'])} True"
    assert run["data_interval_start"] is None


def test_a_publication_starts_a_look_at_the_canary(site: Site) -> None:
    tell_of_a_publication(site)

    run = ended_runs(site, "canary", "asset_triggered", 1)[0]

    assert run["state"] == "success"  # nothing is under way, and that is no failure


@pytest.mark.slow
def test_a_trial_is_followed_without_a_worker_until_it_ends(site: Site) -> None:
    key, lake = site.lake.parent / "keys/signing.pem", str(site.lake)
    release = {"version": "shop-1", "release": "releases/shop-1", "digest": "1" * 64}
    pointers.write(Pointer(sequence=1, **release), lake, key)
    trial = {"champion": 1, "since": datetime.now(UTC), "config": CanaryConfig(), **release, "version": "shop-2"}
    pointers.write(ChallengerPointer(sequence=1, share=0.05, **trial), lake, key)
    try:
        path = f"dags/canary/dagRuns/{trigger(site, 'canary', {})}"
        wait_until(lambda: site.client.call("GET", f"{path}/taskInstances/judge")["state"] == "up_for_reschedule")
        pointers.write(ChallengerPointer(sequence=2, share=0, **trial), lake, key)
        wait_until(lambda: site.client.call("GET", path)["state"] == "success")
    finally:
        for name in ("champion.json", "challenger.json"):
            (site.lake / name).unlink()


def sources_of_canaries(site: Site) -> set[str]:
    """Runs whose publication has started one that looks after a canary."""
    runs = site.client.call("GET", "dags/canary/dagRuns?limit=100")["dag_runs"]
    events = [
        site.client.call("GET", f"dags/canary/dagRuns/{run['dag_run_id']}/upstreamAssetEvents")["asset_events"]
        for run in runs
        if run["run_type"] == "asset_triggered"
    ]
    return {event["source_run_id"] for found in events for event in found}


def tell_of_a_publication(site: Site) -> None:
    (asset,) = site.client.call("GET", "assets?name_pattern=llmops_release")["assets"]
    site.client.call("POST", "assets/events", {"asset_id": asset["id"]})


def test_run_form_refuses_a_wrong_param(site: Site) -> None:
    with pytest.raises(PlatformError, match=r"400.*recipe"):
        trigger(site, "llmops_pipeline", {"recipe": "no-such"})


def test_empty_day_skips_everything_and_the_run_succeeds(site: Site) -> None:
    run_id = trigger(site, "llmops_pipeline", {"day": "2026-01-20", "train": "no"})

    wait_until(lambda: state_of(site, run_id) in {"success", "failed"})

    assert state_of(site, run_id) == "success"
    assert set(states(site, run_id).values()) == {"success", "skipped"}
    assert [task for task, state in states(site, run_id).items() if state == "success"] == ["train_wanted"]
    assert not (site.lake / "raw/ds=2026-01-20/_manifest.json").exists()


def state_of(site: Site, run_id: str) -> str:
    return str(site.client.call("GET", f"dags/llmops_pipeline/dagRuns/{run_id}")["state"])


def test_backfilled_day_makes_its_partitions_and_no_model(site: Site) -> None:
    before, champion = partitions(site.lake), put_champion(site.lake)

    (run,) = backfill(site, date(2026, 2, 5), date(2026, 2, 5))

    assert run["state"] == "success"
    assert partitions(site.lake) - before == {f"{folder}/ds=2026-02-05" for folder in DATA_STAGES.values()}
    done = {task for task, state in states(site, run["dag_run_id"]).items() if state == "success"}
    assert done == {*DATA_STAGES, "train_wanted"}
    assert champion.read_text() == CHAMPION


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_backfill_of_three_days_equals_the_same_days_by_hand_in_an_empty_lake(site: Site, tmp_path: Path) -> None:
    before, champion = digests(site.lake), put_champion(site.lake)
    days = [f"2026-02-0{number}" for number in (2, 3, 4)]

    runs = backfill(site, date(2026, 2, 2), date(2026, 2, 4))
    for day in days:
        by_hand(site, tmp_path, day)

    assert {run["state"] for run in runs} == {"success"}
    assert champion.read_text() == CHAMPION
    made = digests(site.lake)
    assert set(made) - set(before) == {f"{folder}/ds={day}" for folder in DATA_STAGES.values() for day in days}
    assert {name: made[name] for name in before} == before
    assert {name: digest for name, digest in made.items() if name not in before} == digests(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_backfilled_day_that_trains_never_moves_the_champion(site: Site) -> None:
    champion = site.lake / "champion.json"
    champion.unlink(missing_ok=True)
    conf = {"recipe": "tiny", "source": str(PROJECT / "examples/shop"), "train": "yes"}
    manual = trigger(site, "llmops_pipeline", conf | {"day": "2026-11-02"})
    wait_until(lambda: state_of(site, manual) in {"success", "failed"})
    assert states(site, manual)["publish"] == "success"
    wait_until(lambda: manual in sources_of_canaries(site))
    before = champion.read_bytes()

    (run,) = backfill(site, date(2026, 11, 3), date(2026, 11, 3), conf)

    assert run["state"] == "success"
    found = states(site, run["dag_run_id"])
    assert (found["finetune"], found["evaluate"], found["gate"]) == ("success", "success", "success")
    assert found["publish"] == "skipped"
    assert champion.read_bytes() == before
    champion.unlink()


def put_champion(lake: Path) -> Path:
    path = lake / "champion.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(CHAMPION)
    return path


def backfill(site: Site, first: date, last: date, conf: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The runs of a backfill that was started as an operator does it, once they have ended."""
    command = ["airflow", "backfill", "create", "--dag-id", "llmops_pipeline", "--max-active-runs", "2"]
    days = ["--from-date", first.isoformat(), "--to-date", last.isoformat(), "--run-on-latest-version"]
    params = ["--dag-run-conf", json.dumps(conf)] if conf else []
    whole = environment(site.airflow.settings(site.port))
    wait_until(lambda: all(item["completed_at"] for item in backfills(site)))  # Airflow takes one at a time
    subprocess.run([*command, *days, *params], env=whole, capture_output=True, check=True)
    wanted = {(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)}
    found: list[dict[str, Any]] = []

    def have_ended() -> bool:
        runs = site.client.call("GET", "dags/llmops_pipeline/dagRuns?limit=100")["dag_runs"]
        found[:] = [run for run in runs if run["run_type"] == "backfill" and run["logical_date"][:10] in wanted]
        return len(found) == len(wanted) and all(run["state"] in {"success", "failed"} for run in found)

    wait_until(have_ended)
    return found


def backfills(site: Site) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.client.call("GET", "backfills?dag_id=llmops_pipeline")["backfills"]
    return found


def by_hand(site: Site, lake: Path, day: str) -> None:
    """The data stages of one day, from the command line."""
    places = [str(site.project / "shop"), *(f"{lake}/{folder}/ds={day}" for folder in DATA_STAGES.values())]
    for stage, source, target in zip(DATA_STAGES, places, places[1:], strict=False):
        flags = ["--day", day] if stage == "collect" else []
        command = ["llmops", "--recipe", "recipes/quickstart.toml", stage, source, target, *flags]
        subprocess.run(command, cwd=site.project, env=environment({}), capture_output=True, check=True)


def partitions(lake: Path) -> set[str]:
    return {str(path.parent.relative_to(lake)) for path in lake.rglob("_manifest.json")}


def digests(lake: Path) -> dict[str, str]:
    return {name: json.loads((lake / name / "_manifest.json").read_text())["digest"] for name in partitions(lake)}
