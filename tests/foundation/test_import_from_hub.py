"""Importing from a model hub: a real HTTP server that speaks the part of its interface that a download uses."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from llmops import artifacts

_COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Hub(BaseHTTPRequestHandler):
    """Serves `files` as repository acme/tiny at one commit: the listing, and each file with ETag and commit."""

    files: dict[str, bytes]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Stay quiet."""

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.split("?")[0]
        name = path.rsplit("/", 1)[-1]
        if path.startswith(f"/api/models/acme/tiny/tree/{_COMMIT}"):
            listing = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}  # noqa: S324
                for name, data in self.files.items()
            ]
            self._send(200, json.dumps(listing).encode(), with_body)
        elif path == f"/acme/tiny/resolve/{_COMMIT}/{name}" and name in self.files:
            self._send(200, self.files[name], with_body)
        else:
            self._send(404, b"{}", with_body)

    def _send(self, status: int, body: bytes, with_body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", _COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')  # noqa: S324 - the hub's own choice
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def hub(tiny_model_folder: Path) -> Iterator[str]:
    """Address of a hub whose repository also holds pickled weights and documentation."""
    files = {path.name: path.read_bytes() for path in tiny_model_folder.iterdir()}
    handler = type("Hub", (_Hub,), {"files": files | {"pytorch_model.bin": b"pickle", "README.md": b"# tiny"}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _run_cli(hub: str, name: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from llmops.cli import main; main()", "import-model", f"{tmp_path}/lake"]
    command += ["--config.base-model", f"hub:{name}@{_COMMIT}", "--config.licence", "Apache-2.0"]
    environment = os.environ | {
        "LLMOPS_ENVIRONMENT": "development",  # where the machine's owner may do it
        "HF_ENDPOINT": hub,
        "HF_HOME": f"{tmp_path}/cache",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
    }
    return subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_pinned_hub_model_is_downloaded_without_pickles(hub: str, tiny_model_folder: Path, tmp_path: Path) -> None:
    run = _run_cli(hub, "acme/tiny", tmp_path)
    offline_again = _run_cli("http://127.0.0.1:9", "acme/tiny", tmp_path)

    assert run.returncode == 0, run.stderr
    assert offline_again.returncode == 0, offline_again.stderr
    assert run.stdout == offline_again.stdout == f"{tmp_path}/lake\n"
    manifest = artifacts.read(run.stdout.strip(), "import-model")
    folder = artifacts.local_folder(manifest)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in tiny_model_folder.iterdir()
    }


def test_a_hub_model_that_is_not_there_is_one_clear_message(hub: str, tmp_path: Path) -> None:
    run = _run_cli(hub, "acme/other", tmp_path)

    assert run.returncode == 1
    assert "hub:acme/other@" in run.stderr
    assert "check name, commit and network" in run.stderr
    assert "Traceback" not in run.stderr
