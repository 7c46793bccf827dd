"""A small shop with two customers, one named by an e-mail address, and everything that the real stages make of it."""

import csv
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from mlflow import MlflowClient

from llmops import artifacts, cli, schemas
from llmops.config import StageConfig
from llmops.guards import pseudonyms
from llmops.manifest import Manifest
from llmops.settings import Settings
from tests.monitoring.interactions.samples import exchange, feedback, write

KARI, OLA = "kari.nordmann@example.org", "C-2002"
PHONE = "+47 400 12 345"
DAYS = (date(2026, 11, 2), date(2026, 11, 3))
AS_OF = DAYS[-1]
_WORDS = ("tent", "stove", "bag", "rope", "lamp", "axe", "boots", "jacket", "compass", "map", "kettle", "pan", "pole")
_RECIPE = """
[[collect.sources]]
name = "orders"
kind = "csv"
path = "{{day}}/orders.csv"
text = "Order {{order_id}} of {{item}} is {{status}}."
keys = ["{{order_id}}"]
subject = "{{customer}}"
[[collect.sources]]
name = "tickets"
kind = "json"
path = "{{day}}/tickets.jsonl"
question = "{{question}}"
answer = "{{answer}}"
subject = "{{customer}}"
[materialize_customers]
sources = ["orders"]
[split]
test_share = 0.25
validation_share = 0.15
[import_model]
base_model = "{model}"
licence = "Apache-2.0"
[tune]
trials = 1
tokens_per_trial = 800
learning_rate_low = 3e-3
learning_rate_high = 2e-2
[finetune]
max_tokens = 8_000
batch_size = 2
[evaluate]
generated_examples = 12
max_new_tokens = 4
[gate]
max_guard_rise = 1.0
[publish]
max_new_tokens = 8
"""
DAILY = """
collect {shop} {lake}/raw/ds={day} --day {day}
redact {lake}/raw/ds={day} {lake}/redacted/ds={day}
clean {lake}/redacted/ds={day} {lake}/clean/ds={day}
annotate {lake}/clean/ds={day} {lake}/examples/ds={day}
materialize-customers {lake}/clean/ds={day} {lake}/examples/ds={day} {lake}/customers/ds={day}
store-interactions {home}/interactions {lake}/interactions/ds={day} --day {day}
"""
MODEL = """
split {lake}/examples {lake}/splits/as_of={day} --as-of {day}
import-model {lake}/models/tiny
tokenize {lake}/splits/as_of={day} {lake}/models/tiny {lake}/tokens/as_of={day}
materialize {lake}/tokens/as_of={day} {lake}/features/as_of={day}
tune {lake}/features/as_of={day} {lake}/models/tiny {lake}/tuning/as_of={day}
finetune {lake}/features/as_of={day} {lake}/models/tiny {lake}/tuning/as_of={day} {lake}/adapters/as_of={day}
evaluate {lake}/adapters/as_of={day} {lake}/features/as_of={day} {lake}/models/tiny {lake}/evaluations/as_of={day}
gate {lake}/evaluations/as_of={day} {lake}/decisions/as_of={day}
publish {lake}/decisions/as_of={day} {lake}/releases
"""


def write_sources(shop: Path, model: Path) -> Path:
    """Raw files of two days below `shop`, and the recipe that reads them."""
    for number, day in enumerate(DAYS):
        folder = shop / day.isoformat()
        folder.mkdir(parents=True)
        with (folder / "orders.csv").open("w", newline="") as stream:
            lines = csv.writer(stream)
            lines.writerow(["order_id", "item", "status", "customer"])
            for place, customer in enumerate((KARI, OLA) * 2):
                lines.writerow([f"O-{number}{place}00", _WORDS[place + number], "paid", customer])
        with (folder / "tickets.jsonl").open("w") as stream:
            for place in range(36):
                customer = (KARI, OLA, None)[place % 3]
                one, other = _WORDS[place % 13], _WORDS[(place * 7 + 3 + number) % 13]
                asked = f"Does the {one} number {place + 40 * number} go with a {other}, and what does {one} cost?"
                reply = f"Our {one} goes with every {other}; it costs {place * 3 + number + 11} EUR."
                stream.write(json.dumps({"question": asked, "answer": reply, "customer": customer}) + "\n")
    recipe = shop / "recipe.toml"
    recipe.write_text(_RECIPE.format(model=model))
    return recipe


def run(*words: str) -> Any:
    """A command as the `llmops` script runs it, within this process."""
    return cli.app.meta(words, exit_on_error=False, print_error=False, result_action="return_value")


def run_lines(lines: str, recipe: Path, settings: Settings, day: date, *flags: str) -> dict[str, Manifest]:
    """Commands for a day; flags go before each."""
    places = {"shop": recipe.parent, "lake": settings.lake, "home": settings.home, "day": day}
    split = [line.split() for line in lines.format(**places).split("\n") if line]
    return {words[0]: run("--recipe", str(recipe), *flags, *words) for words in split}


def pseudonym_of(subject: str, settings: Settings) -> str:
    """The name under which the service keeps what somebody asked."""
    return pseudonyms.pseudonym(subject, "SUBJECT", pseudonyms.read_key(settings.pseudonym_key))


def write_interactions(settings: Settings) -> None:
    """What both asked on both days, and a rating by each."""
    spool = settings.home / "interactions"
    for number, day in enumerate(DAYS):
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        for place, customer in enumerate((KARI, OLA)):
            subject, answer = pseudonym_of(customer, settings), 10 * number + place
            asked = exchange(answer, event_time=noon, subject=subject, question=f"What does order {answer} cost?")
            write(spool, asked, feedback(answer, event_time=noon.replace(minute=5), subject=subject, rating="good"))


def leave_traces(settings: Settings) -> None:
    """What stages do not make here: batch answers, notes in MLflow, logs, dead attempts of every kind."""
    lake = Path(settings.lake)
    attempt = artifacts.begin(f"{lake}/answers/ds={AS_OF}", stage="generate-batch", version=1, config=StageConfig())
    answers = [_answer("a", KARI, "Your tent is on its way."), _answer("b", OLA, f"Call {PHONE}."), _answer("c", OLA)]
    attempt.write_table(pa.Table.from_pylist(answers, schema=schemas.ANSWERS), schemas.ANSWERS).commit()
    raw = artifacts.read_table(artifacts.read(f"{lake}/raw/ds={AS_OF}", "collect"))
    dead = lake / f"raw/ds={AS_OF}/attempt-dead"
    dead.mkdir()
    pq.write_table(raw, dead / "part-00000.parquet")
    (dead / "part-00001.parquet").write_bytes((dead / "part-00000.parquet").read_bytes()[:-9])  # torn by a kill
    never = lake / "clean/ds=2026-11-09/_quarantine/attempt-never"
    never.mkdir(parents=True)
    pq.write_table(pa.table({"row_id": ["x"], "record": [json.dumps({"customer": KARI})]}), never / "part.parquet")
    client = MlflowClient(tracking_uri=settings.tracking_uri, registry_uri=settings.tracking_uri)
    experiment = client.create_experiment("notes", artifact_location=(settings.home / "mlruns").as_uri())
    noted = client.create_run(experiment, tags={"note": f"seen with {KARI}"})
    client.log_text(noted.info.run_id, f"{KARI} asked first", "asked.txt")
    client.log_dict(noted.info.run_id, [{"customer": KARI}, {"customer": OLA}], "asked.json")
    first = next(row["row_id"] for row in raw.to_pylist() if row["subject_id"] == KARI)
    logs = settings.home / "run"
    logs.mkdir(exist_ok=True)
    (logs / "service.log").write_text(f'{{"message":"about {KARI}"}}\n{{"message":"about {OLA}","id":"{first}"}}\n')


def _answer(row_id: str, customer: str, answer: str = "Yes.") -> dict[str, Any]:
    return {
        "row_id": row_id,
        "parents": [row_id],
        "id": customer,
        "answer": answer,
        "finish_reason": "stop",
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "model": "m",
    }


def save(home: Path) -> None:
    """Keep the home as it is, to be put back at the same place: manifests name absolute URIs."""
    shutil.copytree(home, home.with_name("saved"))


def put_back(home: Path) -> None:
    """The home as it was saved."""
    shutil.rmtree(home)
    shutil.copytree(home.with_name("saved"), home)


def files_in(home: Path) -> Iterator[Path]:
    """Every file but the keys."""
    return (path for path in sorted(home.rglob("*")) if path.is_file() and "keys" not in path.parts)


def decoded(path: Path) -> list[str]:
    """The rows of a Parquet file as text."""
    return [json.dumps(row, default=str, sort_keys=True) for row in pq.read_table(path).to_pylist()]


def holding(home: Path, *needles: str) -> list[str]:
    """Files with one of the words in their bytes, or in a Parquet file's values."""
    found = []
    for path in files_in(home):
        data = path.read_bytes()
        texts = "\n".join(decoded(path)) if path.suffix == ".parquet" and is_whole(path) else ""
        if any(needle.encode() in data or needle in texts for needle in needles):
            found.append(str(path.relative_to(home)))
    return found


def is_whole(path: Path) -> bool:
    """Whether a Parquet file ends as one does."""
    return path.read_bytes()[-4:] == b"PAR1"
