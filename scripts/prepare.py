"""`python -m scripts.prepare`: what a deployment does once, and again when definitions change.

Keys for releases, the feature store's definitions in the lake, Airflow's database, pools and the operator's password.
Does no harm when repeated.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from llmops.settings import Settings
from scripts.local_airflow import HOME, PROJECT, LocalAirflow, PlatformError, environment


def lake() -> Path:
    """The lake of this machine, absolute."""
    place = Settings().lake
    if "://" in place:
        raise PlatformError(f"LLMOPS_LAKE is {place}; what runs on one machine needs a folder, so unset it")
    return PROJECT / place


def main() -> None:
    """Prepare this machine; the two slow parts run side by side."""
    HOME.mkdir(parents=True, exist_ok=True)
    feast = _start_feast(lake())
    _finish(_start(["llmops", "create-keys"]))
    prepare_airflow(LocalAirflow())
    _finish(feast)


def prepare_airflow(airflow: LocalAirflow) -> None:
    """Create or upgrade the database, the pools, the operator's password and, where there are roles, those."""
    airflow.create_password()
    _finish(_start(["airflow", "db", "migrate"], airflow.settings()))
    _finish(_start(["airflow", "pools", "import", str(PROJECT / "dags/pools.json")], airflow.settings()))
    if airflow.has_roles:
        _finish(
            _start(["llmops", "access", "airflow-roles", "--apply", "--users", str(airflow.logins)], airflow.settings())
        )


def apply_features(target: Path) -> None:
    """Put the feature store's definitions into a lake; materializing into it needs them."""
    _finish(_start_feast(target))


def _start_feast(target: Path) -> "subprocess.Popen[str]":
    command = ["feast", "--chdir", "feature_repo", "apply", "--skip-source-validation"]
    return _start(command, {"LLMOPS_LAKE": str(target)})


def _start(command: list[str], extra: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command, env=environment(extra or {}), cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _finish(process: "subprocess.Popen[str]") -> None:
    """Wait for a command; PlatformError with the end of its output when it fails."""
    output = process.communicate()[0]
    if process.returncode:
        raise PlatformError(f"{process.args!r} failed:\n{output[-3000:]}")


if __name__ == "__main__":
    try:
        main()
    except PlatformError as error:
        sys.exit(f"error: {error}")
