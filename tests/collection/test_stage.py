"""`llmops collect` over folders and over http."""

import functools
import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from llmops import artifacts, recipe
from llmops.collection.config import CollectConfig, HtmlSource, JsonSource
from llmops.collection.stage import collect_sources
from llmops.errors import ConfigurationError, FrozenArtifactError, Refused, SourceError
from llmops.manifest import Manifest
from llmops.settings import Settings

DAY = date(2026, 11, 2)
QA = JsonSource(kind="json", name="qa", path="*.jsonl", question="{q}", answer="{a}", event_time="{at}", only_day=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with four questions of two days, one of them with a broken clock."""
    folder = tmp_path / "data"
    folder.mkdir()
    lines = [
        '{"q": "one?", "a": "1", "at": "2026-11-02T23:59:59+00:00"}',
        '{"q": "two?", "a": "2", "at": "2026-11-03T00:30:00+01:00"}',
        '{"q": "three?", "a": "3", "at": "2026-11-03T00:00:00"}',
        '{"q": "four?", "a": "4", "at": "yesterday"}',
        '{"question": "five?", "at": "2026-11-02"}',
    ]
    (folder / "qa.jsonl").write_text("\n".join(lines))
    return folder


def collect(root: Path, target: Path, *, day: date = DAY, recollect: bool = False) -> Manifest:
    """Collect with the one source above."""
    config, settings = CollectConfig(sources=(QA,)), Settings(home=target)
    return collect_sources(str(root), str(target), config=config, day=day, recollect=recollect, settings=settings)


def test_only_rows_of_the_day_are_taken_and_bad_ones_set_aside(root: Path, tmp_path: Path) -> None:
    manifest = collect(root, tmp_path / "raw")

    rows = artifacts.read_table(manifest).to_pylist()
    assert [(row["question"], row["event_time"]) for row in rows] == [
        ("one?", datetime(2026, 11, 2, 23, 59, 59, tzinfo=UTC)),
        ("two?", datetime(2026, 11, 2, 23, 30, tzinfo=UTC)),
    ]
    aside = artifacts.read_table(manifest, quarantine=True).to_pylist()
    assert sorted(row["rule"] for row in aside) == ["bad_event_time", "missing_field"]


def test_raw_data_is_frozen_until_it_is_recollected(root: Path, tmp_path: Path) -> None:
    first = collect(root, tmp_path / "raw")
    (root / "qa.jsonl").write_text('{"q": "new?", "a": "5", "at": "2026-11-02"}')

    with artifacts.recomputing():
        frozen = collect(root, tmp_path / "raw")
    replaced = collect(root, tmp_path / "raw", recollect=True)

    assert frozen.digest == first.digest
    assert artifacts.read_table(replaced)["question"].to_pylist() == ["new?"]


def test_another_configuration_does_not_silently_replace_raw_data(root: Path, tmp_path: Path) -> None:
    collect(root, tmp_path / "raw")
    changed = CollectConfig(sources=(QA.model_copy(update={"only_day": False}),))

    with pytest.raises(FrozenArtifactError, match="--recollect"):
        collect_sources(str(root), str(tmp_path / "raw"), config=changed, day=DAY, settings=Settings(home=tmp_path))


def test_empty_day_is_refused_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    (root / "qa.jsonl").write_text("")

    with pytest.raises(Refused, match="no source has anything for 2026-11-02"):
        collect(root, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_missing_root_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        collect(tmp_path / "nowhere", tmp_path / "raw")


@pytest.mark.parametrize("partition", ["ds=2026-11-09", "ds=2026-11-09/", "ds=today"])
def test_partition_of_another_day_is_refused(partition: str, root: Path, tmp_path: Path) -> None:
    target = f"{tmp_path}/raw/{partition}"

    with pytest.raises(ConfigurationError, match=r"not the partition of 2026-11-02; .*ends in ds=2026-11-02"):
        collect_sources(
            str(root), target, config=CollectConfig(sources=(QA,)), day=DAY, settings=Settings(home=tmp_path)
        )
    assert not (tmp_path / "raw").exists()


def test_partition_of_the_day_is_filled(root: Path, tmp_path: Path) -> None:
    assert collect(root, tmp_path / "ds=2026-11-02").day == DAY


@pytest.fixture
def web() -> Iterator[str]:
    """The sample shop, served on loopback with listings of its folders."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="examples/shop")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_page_fetched_over_http_equals_the_page_on_disk(web: str, tmp_path: Path) -> None:
    page = next(Path("examples/shop/2026-11-02/faq").glob("*.html")).name
    found = []
    for number, path in enumerate((f"{web}/2026-11-02/faq/{page}", f"2026-11-02/faq/{page}")):
        source = HtmlSource(kind="html", name="faq", path=path, question="{heading}", answer="{body}")
        config = CollectConfig(sources=(source,))
        manifest = collect_sources(
            "examples/shop", f"{tmp_path}/{number}", config=config, day=DAY, settings=Settings(home=tmp_path)
        )
        found.append(artifacts.read_table(manifest).select(["question", "answer"]).to_pylist())

    assert found[0] == found[1]
    assert len(found[0]) > 3


def test_shop_collected_over_http_equals_the_shop_on_disk(web: str, tmp_path: Path) -> None:
    config, day = recipe.load(Path("recipes/quickstart.toml")).collect, date(2026, 11, 4)

    made = [
        collect_sources(root, f"{tmp_path}/{number}", config=config, day=day, settings=Settings(home=tmp_path))
        for number, root in enumerate((web, "examples/shop"))
    ]

    assert made[0].digest == made[1].digest
    assert made[0].counts == made[1].counts


def test_pattern_on_a_silent_server_is_an_error(tmp_path: Path) -> None:
    config = CollectConfig(sources=(HtmlSource(kind="html", name="faq", path="faq/*.html"),))

    with pytest.raises(SourceError, match="cannot be listed"):
        collect_sources(
            "http://127.0.0.1:9", f"{tmp_path}/lake", config=config, day=DAY, settings=Settings(home=tmp_path)
        )


def test_day_with_nothing_but_broken_files_is_an_error_and_stays_open(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{broken")
    config = CollectConfig(sources=(JsonSource(kind="json", name="rows", path="*.jsonl", question="{q}"),))

    with pytest.raises(SourceError, match=r"nothing of 2026-11-02 can be used.*a\.jsonl"):
        collect_sources(str(tmp_path), f"{tmp_path}/lake", config=config, day=DAY, settings=Settings(home=tmp_path))

    assert artifacts.find(f"{tmp_path}/lake") is None
    (tmp_path / "a.jsonl").write_text('{"q": "Open on Sunday?"}')
    assert (
        collect_sources(
            str(tmp_path), f"{tmp_path}/lake", config=config, day=DAY, settings=Settings(home=tmp_path)
        ).counts["kept"]
        == 1
    )


def test_silent_server_is_an_error(tmp_path: Path) -> None:
    silent = CollectConfig(sources=(HtmlSource(kind="html", name="faq", path="http://127.0.0.1:9/x.html"),))

    with pytest.raises(SourceError, match="not reachable"):
        collect_sources("examples/shop", f"{tmp_path}/b", config=silent, day=DAY, settings=Settings(home=tmp_path))


def test_broken_files_of_every_kind_are_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    config = recipe.load(Path("recipes/quickstart.toml")).collect

    manifest = collect_sources(
        "examples/shop", str(tmp_path), config=config, day=date(2026, 11, 4), settings=Settings(home=tmp_path)
    )

    aside = artifacts.read_table(manifest, quarantine=True).to_pylist()
    assert {row["uri"].rsplit(".", 1)[-1] for row in aside if row["rule"] == "unreadable_file"} == {
        "html",
        "pdf",
        "sqlite",
        "txt",
        "xml",
    }
    assert {row["uri"].rsplit(".", 1)[-1] for row in aside if row["rule"] == "malformed_record"} == {"csv", "jsonl"}
    assert manifest.counts["kept"] > 20
