"""A table of questions answered: equal to the service's own answers, resumed after a kill, refused rows set aside."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llmops import artifacts
from llmops.errors import Refused, SourceError
from llmops.settings import Settings
from serving.batch import BatchConfig, generate_batch

CONFIG = BatchConfig(rows_per_part=4, at_once=4)


@pytest.fixture(autouse=True)
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_SERVING_ENGINE", "transformers")
    monkeypatch.setenv("LLMOPS_SERVING_THREADS", "1")


def write(path: Path, **columns: list[Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_answers_are_those_of_the_service(client: httpx.Client, published: Settings, tmp_path: Path) -> None:
    questions = [f"Where is parcel {number}?" for number in range(6)]
    contexts = [None, "Parcels take two days."] * 3
    write(tmp_path / "in/a.parquet", prompt=questions[:3], context=contexts[:3], id=["a", "b", "c"])
    write(tmp_path / "in/b.parquet", prompt=questions[3:], context=contexts[3:], id=["d", "e", "f"])

    made = generate_batch(f"{tmp_path}/in", f"{tmp_path}/out", config=CONFIG, settings=published)

    found = {row["id"]: row for row in artifacts.read_table(made).to_pylist()}
    for name, question, context in zip("abcdef", questions, contexts, strict=True):
        expected = client.post("/generate", json={"prompt": question, "context": context}).json()
        assert found[name]["answer"] == expected["answer"]
        assert found[name]["model"] == expected["model"]
        assert found[name]["completion_tokens"] == expected["usage"]["completion_tokens"]
    assert len(made.names(".parquet")) == 2
    assert not list(tmp_path.glob("out/_partial"))


def test_rows_that_cannot_be_answered_are_set_aside(published: Settings, tmp_path: Path) -> None:
    source = write(tmp_path / "in.parquet", prompt=["Hi", "x" * 9_000, "", None, "Where is my parcel? " * 400])

    made = generate_batch(source, f"{tmp_path}/out", config=CONFIG, settings=published)

    assert made.counts == {"kept": 1, "set_aside": 4, "prompt_too_long": 2, "invalid_request": 2}


def test_equal_batch_is_not_answered_again(published: Settings, tmp_path: Path) -> None:
    source = write(tmp_path / "in.parquet", prompt=["Hi", "Ho"])

    first = generate_batch(source, f"{tmp_path}/out", config=CONFIG, settings=published)
    again = generate_batch(source, f"{tmp_path}/out", config=CONFIG, settings=published)
    elsewhere = generate_batch(source, f"{tmp_path}/other", config=CONFIG, settings=published)

    assert again == first
    assert elsewhere.digest == first.digest


def test_killed_batch_goes_on_where_it_was(published: Settings, tmp_path: Path) -> None:
    source = write(tmp_path / "in.parquet", prompt=[f"Where is parcel {number}?" for number in range(40)])
    command = [str(Path(sys.executable).with_name("llmops")), "generate-batch", source]
    options = ["--config.rows-per-part", "4", "--config.at-once", "2"]
    variables = os.environ | {"LLMOPS_HOME": str(published.home), "LLMOPS_LAKE": published.lake}
    process = subprocess.Popen(
        [*command, f"{tmp_path}/out", *options], env=variables, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while not list(tmp_path.glob("out/_partial/*/0*.parquet")):
        assert process.poll() is None
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/_partial/*/0*.parquet")}
    assert artifacts.find(f"{tmp_path}/out") is None

    done = subprocess.run(
        [*command, f"{tmp_path}/out", *options], env=variables, capture_output=True, text=True, check=True
    )
    undisturbed = generate_batch(
        source, f"{tmp_path}/whole", config=BatchConfig(rows_per_part=4, at_once=2), settings=published
    )

    assert 1 <= len(kept) < 10
    assert f'parts_kept":{len(kept)}' in done.stderr.replace(" ", "")
    assert artifacts.read(f"{tmp_path}/out", "generate-batch").digest == undisturbed.digest


def test_wrong_tables_are_refused(published: Settings, tmp_path: Path) -> None:
    def batch(source: str) -> None:
        generate_batch(source, f"{tmp_path}/out", config=CONFIG, settings=published)

    with pytest.raises(SourceError, match="no such file"):
        batch(f"{tmp_path}/none.parquet")
    with pytest.raises(SourceError, match="has the columns question"):
        batch(write(tmp_path / "a.parquet", question=["Hi"]))
    with pytest.raises(SourceError, match="an id of its own"):
        batch(write(tmp_path / "b.parquet", prompt=["Hi", "Hi"], id=["1", "1"]))
    with pytest.raises(Refused, match="no row"):
        batch(write(tmp_path / "c.parquet", prompt=pa.array([], pa.string())))
    assert artifacts.find(f"{tmp_path}/out") is None
