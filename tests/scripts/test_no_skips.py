"""A skipped test fails the run; one that is left out by its mark does not."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def run(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with the plugin on one file, apart from this repository's configuration."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow: left out\naddopts = -m 'not slow'\n")
    (tmp_path / "test_it.py").write_text(f"import pytest\n{body}\ndef test_passes(): pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.no_skips", "-p", "no:cacheprovider", "--rootdir=."]
    path = {"PYTHONPATH": str(PROJECT)}
    return subprocess.run([*command, "test_it.py"], cwd=tmp_path, env=path, capture_output=True, text=True, check=False)


def test_skipped_test_fails_the_run_and_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "@pytest.mark.skip\ndef test_skips(): pass")

    assert done.returncode == 1
    assert "test_it.py::test_skips was skipped" in done.stdout


def test_test_that_may_fail_is_no_test(tmp_path: Path) -> None:
    assert run(tmp_path, "@pytest.mark.xfail\ndef test_fails(): assert False").returncode == 1


def test_module_that_skips_itself_fails_the_run(tmp_path: Path) -> None:
    assert run(tmp_path, "pytest.importorskip('no_such_module')").returncode == 1


def test_test_that_is_marked_slow_is_left_out(tmp_path: Path) -> None:
    done = run(tmp_path, "@pytest.mark.slow\ndef test_is_slow(): assert False")

    assert done.returncode == 0
    assert "1 passed, 1 deselected" in done.stdout
