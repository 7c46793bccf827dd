"""What holds for the DAG files before anything runs."""

import ast
import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException, ParamValidationError
from airflow.utils.types import DagRunType
from batch_inference import dag as batch
from canary import dag as canary
from cyclopts.config import Dict
from erase_subject import dag as erasure
from llmops_pipeline import dag as pipeline

from llmops import cli, recipe
from llmops.governance.access.airflow import DEVELOPERS_DAGS

DAGS = Path(__file__).resolve().parents[2] / "dags"
FILES = {
    name: [name.removesuffix(".py")]
    for name in ("batch_inference.py", "canary.py", "erase_subject.py", "llmops_pipeline.py")
}
"""Every DAG file with its DAGs. A new one belongs here, and its safety in a test below."""
STAGES = ["collect", "redact", "clean", "annotate", "split", "tokenize", "materialize", "tune", "finetune"]
STAGES += ["evaluate", "gate", "publish"]

PARSE = """
import json, sys, time
started = time.monotonic()
from airflow.dag_processing.dagbag import BundleDagBag
imported = time.monotonic()
bag = BundleDagBag(sys.argv[1], bundle_path=sys.argv[1], bundle_name="dags-folder")
files = {}
for dag_id, dag in bag.dags.items():
    files.setdefault(dag.relative_fileloc, []).append(dag_id)
heavy = {"feast", "llmops", "mlflow", "numpy", "pandas", "pyarrow", "pyspark", "torch", "transformers"}
print(json.dumps([bag.import_errors, files, sorted(heavy & set(sys.modules)), time.monotonic() - imported]))
"""


def test_every_listed_file_and_no_other_parses_fast_and_light() -> None:
    environment = os.environ | {"AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(DAGS)], env=environment, capture_output=True, text=True, check=True
    )

    errors, files, heavy, seconds = json.loads(done.stdout.splitlines()[-1])

    assert errors == {}
    assert files == FILES
    assert heavy == []
    assert seconds < 5  # 0.1 on a quiet machine; Airflow gives a file up after 30


def test_no_file_is_hidden_from_airflow_but_the_shared_one() -> None:
    assert {path.name for path in DAGS.glob("**/*.py")} == {*FILES, "shared.py"}
    assert (DAGS / ".airflowignore").read_text().split() == ["shared.py"]


@pytest.mark.parametrize("file", sorted(DAGS.glob("*.py")), ids=lambda file: file.name)
def test_files_import_airflow_and_the_standard_library_only(file: Path) -> None:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}

    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names | {"airflow", "shared"}


def upstream(dag: DAG, task: str) -> set[str]:
    """Every task that must have ended before `task` starts."""
    return dag.get_task(task).get_flat_relative_ids(upstream=True)


def test_stages_run_in_the_order_of_the_pipeline() -> None:
    for earlier, later in pairwise(STAGES):
        assert earlier in upstream(pipeline, later)
    assert "import_model" in upstream(pipeline, "tokenize")
    assert pipeline.get_task("materialize_customers").upstream_task_ids == {"annotate"}


def test_redaction_precedes_everything_but_collection() -> None:
    touched_raw = {"collect", "redact", "train_wanted", "import_model"}  # the last two read no data

    assert {task for task in pipeline.task_ids if "redact" not in upstream(pipeline, task)} == touched_raw


def test_publication_needs_the_gate_and_no_backfill() -> None:
    assert {"gate", "evaluate", "publish_allowed", "train_wanted"} <= upstream(pipeline, "publish")
    assert {"describe_decision", "ask", "approve"} <= upstream(pipeline, "publish")
    assert pipeline.get_task("publish").upstream_task_ids == {"approve"}
    # With any other rule a task could start although what it needs was skipped or failed.
    assert {pipeline.get_task(task).trigger_rule for task in pipeline.task_ids} == {"all_success"}


@pytest.mark.parametrize(
    ("run_type", "allowed"), [("backfill", False), ("scheduled", True), ("manual", True), ("asset_triggered", True)]
)
def test_only_a_backfill_is_kept_away_from_the_champion(run_type: str, allowed: bool) -> None:
    decide = pipeline.get_task("publish_allowed").python_callable

    assert decide(dag_run=SimpleNamespace(run_type=DagRunType(run_type))) is allowed


@pytest.mark.parametrize(
    ("train", "run_type", "wanted"),
    [
        ("auto", "backfill", False),
        ("auto", "scheduled", True),
        ("auto", "manual", True),
        ("yes", "backfill", True),
        ("no", "manual", False),
    ],
)
def test_param_decides_about_training_and_auto_leaves_backfills_out(train: str, run_type: str, wanted: bool) -> None:
    decide = pipeline.get_task("train_wanted").python_callable

    assert decide(dag_run=SimpleNamespace(run_type=DagRunType(run_type)), params={"train": train}) is wanted


def test_training_is_not_reached_by_a_run_about_data() -> None:
    data = {"collect", "redact", "clean", "annotate", "materialize_customers", "train_wanted"}

    assert {task for task in pipeline.task_ids if "train_wanted" not in upstream(pipeline, task)} == data


def test_writers_of_one_thing_take_turns() -> None:
    pools = {task: pipeline.get_task(task).pool for task in pipeline.task_ids}
    sizes = {name: pool["slots"] for name, pool in json.loads((DAGS / "pools.json").read_text()).items()}

    assert pools["materialize"] == pools["materialize_customers"] == "feature_store"
    assert {pools[name] for name in ("import_model", "tune", "finetune", "evaluate", "publish")} == {"training"}
    assert sizes == {"feature_store": 1, "training": 1}


def test_every_stage_may_fail_twice_but_not_run_forever() -> None:
    stages = [pipeline.get_task(name) for name in [*STAGES, "materialize_customers"]]

    assert all(task.retries == 2 and task.retry_exponential_backoff for task in stages)
    assert all(task.execution_timeout for task in stages)


@pytest.mark.parametrize(
    "conf",
    [
        {"day": "2026-11-31"},
        {"day": "20261102"},
        {"day": "2026-11-02 "},
        {"recipe": "../../etc/passwd"},
        {"recipe": "no-such"},
        {"source": "$(reboot)"},
        {"source": "a b"},
        {"source": "--help"},
        {"source": ""},
        {"train": "maybe"},
        {"force": "yes"},
        {"recollect": 1},
    ],
    ids=str,
)
def test_wrong_params_are_refused(conf: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError):
        validate(conf)


@pytest.mark.parametrize(
    "conf",
    [
        {},
        {"day": "2026-11-02", "train": "no", "force": True},
        {"source": "/srv/raw data".replace(" ", "_")},
        {"source": "https://files.example.com/shop"},
        {"source": "s3://bucket/shop/raw"},
    ],
    ids=str,
)
def test_right_params_are_taken(conf: dict[str, Any]) -> None:
    assert validate(conf).items() >= conf.items()


def validate(conf: dict[str, Any], dag: DAG = pipeline) -> dict[str, Any]:
    """Params of a run with this configuration, checked as Airflow checks them."""
    params = copy.deepcopy(dag.params)
    params.update(conf)
    return dict(params.validate())


@pytest.mark.parametrize("task", [*STAGES, "import_model", "materialize_customers"])
def test_command_text_is_fixed_and_understood_by_the_cli(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = pipeline.get_task(task)
    tables = recipe.load(Path("recipes/quickstart.toml")).model_dump(mode="json", exclude_none=True)
    monkeypatch.setattr(cli.app, "config", (Dict(cli.arguments_from(tables), source="quickstart"),))
    values = {name: f"a $(false) '{name}" for name in operator.env} | {"DAY": "2026-11-02", "FORCE": "yes"}

    words = words_of(operator.bash_command, values)
    program, option, recipe_file, force, *tokens = words
    _, bound, _ = cli.app.parse_args(tokens, exit_on_error=False, print_error=False)

    assert "{{" not in operator.bash_command
    assert (program, option, recipe_file, force) == ("llmops", "--recipe", values["RECIPE"], "--force")
    assert tokens[0] == task.replace("_", "-")
    assert "config" in bound.arguments


def words_of(command: str, variables: dict[str, str]) -> list[str]:
    """The words that a task's command becomes with these variables."""
    script = f'exec() {{ printf "%s\\0" "$@"; }}; {command}'
    done = subprocess.run(["bash", "-c", script], env=variables, capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


def test_batch_answers_the_days_table_in_one_command() -> None:
    operator = batch.get_task("generate_batch")
    values = {"QUESTIONS": "s3://in/DAY/$(false)", "DAY": "2026-11-02", "LAKE": "/a lake", "FORCE": ""}

    words = words_of(operator.bash_command, values)
    _, bound, _ = cli.app.parse_args(words[1:], exit_on_error=False, print_error=False)

    assert words == ["llmops", "generate-batch", "s3://in/2026-11-02/$(false)", "/a lake/answers/ds=2026-11-02"]
    assert bound.arguments["target"] == words[-1]
    assert operator.retries == 2
    assert operator.execution_timeout
    assert operator.pool == "training"


@pytest.mark.parametrize("conf", [{"questions": "a b"}, {"questions": ""}, {"day": "02.11.2026"}], ids=str)
def test_wrong_params_of_a_batch_are_refused(conf: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError):
        validate(conf, batch)


def test_an_erasure_is_one_command_in_turn_with_the_feature_store() -> None:
    operator = erasure.get_task("erase")
    values = {"SUBJECT": "a $(false) 'person'", "REASON": "retention", "LAKE": "/a lake", "FORCE": "", "DAY": ""}

    words = words_of(operator.bash_command, values)
    _, bound, _ = cli.app.parse_args(words[1:], exit_on_error=False, print_error=False)

    assert words == ["llmops", "erase", "--subject", values["SUBJECT"], "--reason", "retention"]
    assert bound.arguments == {"subject": values["SUBJECT"], "reason": "retention"}
    assert "{{" not in operator.bash_command
    assert (operator.pool, operator.retries) == ("feature_store", 2)
    assert erasure.max_active_runs == 1


def test_a_model_is_trained_again_only_after_the_erasure_that_makes_it_due() -> None:
    due, retrain = erasure.get_task("erasure_due"), erasure.get_task("retrain")
    words = words_of(due.bash_command, {"FORCE": ""})

    assert words == ["llmops", "erasure", "due"]
    assert cli.app.parse_args(words[1:], exit_on_error=False, print_error=False)[0].__name__ == "due"
    assert due.skip_on_exit_code == [99]
    assert (due.upstream_task_ids, retrain.upstream_task_ids) == ({"erase"}, {"erasure_due"})
    assert {task.trigger_rule for task in (due, retrain)} == {"all_success"}
    assert retrain.trigger_dag_id == pipeline.dag_id
    assert set(retrain.conf) <= set(pipeline.params)


@pytest.mark.parametrize(
    "conf",
    [{}, {"subject": ""}, {"subject": "--search-only"}, {"subject": "C\n1"}, {"subject": "C-1", "reason": "whim"}],
    ids=str,
)
def test_wrong_params_of_an_erasure_are_refused(conf: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError):
        validate(conf, erasure)


@pytest.mark.parametrize("subject", ["C-1016", "kari@example.org", "<SUBJECT:0123456789abcdef>", "Åse O'Hara"])
def test_an_id_and_a_pseudonym_are_taken(subject: str) -> None:
    assert validate({"subject": subject}, erasure)["subject"] == subject


def test_a_publication_starts_one_run_that_follows_the_canary() -> None:
    (asset,) = pipeline.get_task("publish").outlets
    others = [task for task in pipeline.task_ids if pipeline.get_task(task).outlets]
    judge = canary.get_task("judge")

    assert others == ["publish"]
    assert canary.schedule == [asset]
    assert canary.max_active_runs == 1
    assert (judge.mode, judge.poke_interval) == ("reschedule", 60)
    assert judge.retries > 0


@pytest.fixture
def judge_as(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], bool]:
    """Lets the task look once, with a program in the place of `llmops`."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LLMOPS_SERVICE_LOGS", "/var/log/service*.log")

    def look(script: str) -> bool:
        program = tmp_path / "llmops"
        program.write_text(f"#!/bin/bash\n{script}\n")
        program.chmod(0o755)
        return bool(copy.deepcopy(canary.get_task("judge")).poke({}))

    return look


@pytest.mark.parametrize(("status", "is_done"), [(75, False), (0, True)])
def test_the_task_waits_while_it_is_not_decided(judge_as: Callable[[str], bool], status: int, is_done: bool) -> None:
    assert judge_as(f"exit {status}") is is_done


@pytest.mark.parametrize("status", [1, 2, 99])
def test_a_look_that_failed_is_taken_again(judge_as: Callable[[str], bool], status: int) -> None:
    with pytest.raises(AirflowException, match=f"return code {status}") as caught:
        judge_as(f"exit {status}")

    assert not isinstance(caught.value, AirflowFailException)  # that one would never be retried


def test_the_command_runs_in_the_project_with_the_workers_environment(
    judge_as: Callable[[str], bool], tmp_path: Path
) -> None:
    judge_as(f'echo "$PWD|$LLMOPS_SERVICE_LOGS|$LLMOPS_LAKE|$*" > {tmp_path}/seen')

    seen = (tmp_path / "seen").read_text().strip().split("|")
    lake = canary.get_task("judge").env["LLMOPS_LAKE"]
    assert seen == [str(DAGS.parent), "/var/log/service*.log", lake, "canary judge"]
    assert "LLMOPS_SERVICE_LOGS" not in canary.get_task("judge").env  # what is rendered is stored and shown


@pytest.mark.parametrize("name", sorted(name for names in FILES.values() for name in names))
def test_every_dag_says_who_may_start_it_as_the_matrix_does(name: str) -> None:
    text = ast.get_docstring(ast.parse((DAGS / f"{name}.py").read_text())) or ""

    assert ("Developers and Admins" in text) is (name in DEVELOPERS_DAGS)
    assert text.count("An Admin:") == int(name not in DEVELOPERS_DAGS)


def test_nothing_starts_by_itself_where_nothing_is_scheduled(tmp_path: Path) -> None:
    command = "import sys; sys.path.append(sys.argv[1]); from canary import dag; print(dag.schedule is None)"
    environment = os.environ | {"LLMOPS_SCHEDULE": "none"}

    done = subprocess.run(
        [sys.executable, "-c", command, str(DAGS)], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "True"


def test_a_person_is_asked_after_the_gate_and_only_where_it_may_publish() -> None:
    assert {"gate", "publish_allowed"} <= upstream(pipeline, "describe_decision")
    assert pipeline.get_task("ask").upstream_task_ids == {"describe_decision"}
    assert pipeline.get_task("approve").upstream_task_ids == {"ask"}
    assert pipeline.get_task("ask").retries == 0
    assert pipeline.get_task("ask").response_timeout


@pytest.mark.parametrize(
    ("variables", "is_asked"),
    [
        ({}, True),
        ({"LLMOPS_ENVIRONMENT": "production"}, True),
        ({"LLMOPS_ENVIRONMENT": "Development"}, True),  # no value that the settings know
        ({"LLMOPS_REQUIRE_APPROVAL": "false"}, True),  # a setting that is refused outside development
        ({"LLMOPS_ENVIRONMENT": "development"}, False),
        ({"LLMOPS_ENVIRONMENT": "development", "LLMOPS_REQUIRE_APPROVAL": "Yes"}, True),
    ],
)
def test_nobody_is_asked_in_development_alone(variables: dict[str, str], is_asked: bool) -> None:
    command = "import sys; sys.path.append(sys.argv[1]); from llmops_pipeline import dag; "
    command += "print('ask' in dag.task_ids, '--approval' in dag.get_task('publish').bash_command)"

    done = subprocess.run(
        [sys.executable, "-c", command, str(DAGS)],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == f"{is_asked} {is_asked}"


def test_the_answer_reaches_the_command_and_no_shell() -> None:
    operator = pipeline.get_task("approve")
    values = {"DAY": "2026-11-02", "LAKE": "/a lake", "FORCE": "", "CHOICE": "reject", "BY": "O'Hara $(id)"}
    values |= {"AT": "2026-11-25T01:02:03.5+00:00", "NOTE": "--by me; `id`"}

    words = words_of(operator.bash_command, values)
    _, bound, _ = cli.app.parse_args(words[1:], exit_on_error=False, print_error=False)

    assert bound.arguments["note"] == values["NOTE"]
    assert (bound.arguments["by"], bound.arguments["choice"]) == (values["BY"], "reject")
    assert bound.arguments["at"].isoformat() == "2026-11-25T01:02:03.500000+00:00"
    assert bound.arguments["target"] == "/a lake/approvals/as_of=2026-11-02"
