"""Reading sources over http, from a real server that fails in the ways that servers fail."""

import http.server
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from llmops import artifacts
from llmops.collection.config import CollectConfig, HtmlSource
from llmops.collection.stage import collect_sources
from llmops.errors import SourceError
from llmops.manifest import Manifest
from llmops.settings import Settings

PAGE = b"<html><body><h2>Do you ship?</h2><p>Yes.</p></body></html>"


class _Failing(http.server.BaseHTTPRequestHandler):
    """`/<status>/<times>` answers with the status that many times, then with the page."""

    asked: Counter[str]

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        if self.path == "/loop":
            self._answer(302, {"Location": "/loop"})
        elif self.path == "/garbled":
            self._answer(200, {"Content-Encoding": "gzip"})
        else:
            _, status, times = self.path.split("/")
            self._answer(int(status) if self.asked[self.path] <= int(times) else 200, {})

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(PAGE)), "Content-Type": "text/html", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def web() -> Iterator[str]:
    """A server on loopback, as `_Failing` says."""
    handler = type("_Counted", (_Failing,), {"asked": Counter()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def collect(*addresses: str, target: Path) -> Manifest:
    """Collect the pages at these addresses."""
    sources = tuple(
        HtmlSource(kind="html", name=f"page-{number}", path=address, question="{heading}", answer="{body}")
        for number, address in enumerate(addresses)
    )
    config = CollectConfig(sources=sources)
    return collect_sources(
        "examples/shop", str(target), config=config, day=date(2026, 11, 2), settings=Settings(home=target)
    )


@pytest.mark.parametrize("status", [429, 500, 503])
def test_server_that_is_busy_for_a_moment_is_asked_again(status: int, web: str, tmp_path: Path) -> None:
    manifest = collect(f"{web}/{status}/2", target=tmp_path / "raw")

    assert artifacts.read_table(manifest)["answer"].to_pylist() == ["Yes."]


@pytest.mark.parametrize("status", [429, 503])
def test_server_that_stays_busy_ends_the_run_and_leaves_the_day_open(status: int, web: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"{web}/{status}/3: HTTP status {status}.*collect again"):
        collect(f"{web}/{status}/3", target=tmp_path / "raw")
    assert artifacts.find(str(tmp_path / "raw")) is None

    manifest = collect(f"{web}/{status}/3", target=tmp_path / "raw")

    assert artifacts.read_table(manifest)["answer"].to_pylist() == ["Yes."]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_page_that_is_not_given_is_set_aside_at_once(status: int, web: str, tmp_path: Path) -> None:
    manifest = collect(f"{web}/{status}/1", f"{web}/200/0", target=tmp_path / "raw")

    assert artifacts.read_table(manifest)["source"].to_pylist() == ["page-1"]
    aside = artifacts.read_table(manifest, quarantine=True).to_pylist()
    assert [(row["rule"], row["reason"]) for row in aside] == [
        ("unreadable_file", f"source `page-0`: HTTP status {status}")
    ]


@pytest.mark.parametrize(
    "address",
    ["{web}/loop", "{web}/garbled", "{web}x/page", "http://..localhost/x", "http://xn--a.localhost/", "http://"],
)
def test_address_without_a_usable_answer_is_an_error_with_a_remedy(address: str, web: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="check the address"):
        collect(address.format(web=web), target=tmp_path / "raw")
    assert not (tmp_path / "raw").exists()
