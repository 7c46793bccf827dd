"""Airflow on one machine: its configuration, its processes, and a client of its REST API.

SQLite and LocalExecutor, everything on loopback, everything in one folder.
"""

import json
import os
import secrets
import shlex
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmops.settings import Settings
from scripts.loopback import NO_PROXY, open_url
from scripts.processes import Processes

PROJECT = Path(__file__).resolve().parent.parent
HOME = PROJECT / Settings().home
"""Folder of everything this machine keeps."""
USER = "operator"
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
START_SECONDS = 300
"""Airflow is given up when it is not healthy by then; a loaded machine has been seen to take 140."""


class PlatformError(Exception):
    """A part of the platform does not start or answer; the message says where to look."""


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a platform process: this one's, the commands of its virtual environment, and `extra`."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    own = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": str(_cores()),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # A machine for trying things out: releases need no approval there, and its owner is Admin on the command line.
        "LLMOPS_ENVIRONMENT": os.environ.get("LLMOPS_ENVIRONMENT", "development"),
        **NO_PROXY,
    }
    return inherited | own | dict(extra)


def is_development() -> bool:
    """Whether what is started here is its owner's alone; a checkout is, unless LLMOPS_ENVIRONMENT says otherwise."""
    return environment({})["LLMOPS_ENVIRONMENT"] == "development"


@dataclass(frozen=True)
class LocalAirflow:
    """Airflow with its database, logs and passwords in `folder`."""

    folder: Path = HOME / "airflow"
    dags: Path = PROJECT / "dags"
    has_roles: bool = field(default_factory=lambda: not is_development())
    """Whether the roles of `llmops.governance.access` hold (the FAB provider), or whoever logs in is an admin."""

    @property
    def logs(self) -> Path:
        """Folder of the tasks' logs."""
        return self.folder / "logs"

    def settings(self, port: int = 0) -> dict[str, str]:
        """What Airflow is told through its environment; `port` is that of its API and UI."""
        address = f"http://127.0.0.1:{port}"
        return {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(max(2, _cores())),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
            **self._logins(),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": address,
            "AIRFLOW__API__WORKERS": "1",
            # Training takes every core for minutes: what only answers late is not dead.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "900",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "120",
            "AIRFLOW__DAG_PROCESSOR__HEALTH_CHECK_THRESHOLD": "120",
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "300",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "200",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
        }

    def _logins(self) -> dict[str, str]:
        if self.has_roles:
            return {
                "AIRFLOW__CORE__AUTH_MANAGER": FAB,
                "AIRFLOW__FAB__CONFIG_FILE": str(PROJECT / "docker/airflow/webserver_config.py"),
            }
        return {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._password_file),
        }

    def write_shell_file(self, path: Path, port: int, extra: Mapping[str, str]) -> None:
        """Leave the settings and `extra` as exports for a shell, so that `airflow` and `llmops` work by hand."""
        own = {"LLMOPS_ENVIRONMENT": environment({})["LLMOPS_ENVIRONMENT"]}
        exports = (
            self.settings(port) | own | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | dict(extra)
        )
        path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in exports.items()))

    def create_password(self) -> None:
        """Give the operator a password, unless there is one."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._password_file.exists():
            self._password_file.touch(mode=0o600)
            self._password_file.write_text(json.dumps({USER: secrets.token_urlsafe(12)}))
        self.logins.touch(mode=0o600)
        self.logins.write_text(json.dumps({"admin": {"username": USER, "password": self.password}}))

    @property
    def logins(self) -> Path:
        """File of the operator's login by role, for Airflow with roles."""
        return self.folder / "logins.json"

    @property
    def password(self) -> str:
        """The operator's password."""
        return str(json.loads(self._password_file.read_text())[USER])

    def start(
        self,
        processes: Processes,
        port: int,
        extra: Mapping[str, str] | None = None,
        components: tuple[str, ...] = COMPONENTS,
    ) -> "Client":
        """Start Airflow's processes and wait until they are healthy; `extra` reaches every task's environment."""
        for name in components:
            # Tasks run on this machine: their logs are read from disk and need no server of their own.
            flags = ["--skip-serve-logs"] if name in {"scheduler", "triggerer"} else []
            whole = environment(self.settings(port) | dict(extra or {}))
            processes.start(name, ["airflow", name, *flags], whole, PROJECT)
        client = Client(f"http://127.0.0.1:{port}", self.password)
        deadline = time.monotonic() + START_SECONDS
        while not client.is_healthy(components):
            for name in set(components) - set(processes.running()):
                raise PlatformError(f"airflow {name} ended; the end of its log:\n{processes.tail(name)}")
            if time.monotonic() > deadline:
                raise PlatformError(f"Airflow is not healthy after {START_SECONDS} s; see {processes.folder}/*.log")
            time.sleep(0.5)
        return client

    @property
    def _password_file(self) -> Path:
        return self.folder / "passwords.json"


@dataclass
class Client:
    """Airflow's REST API, as the operator."""

    address: str
    password: str = field(repr=False)
    _token: str = field(default="", repr=False)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, timeout_seconds: float = 60) -> Any:
        """The decoded answer to a request, such as `call("GET", "dags")`.

        A server that is too busy (5xx, SQLite's lock) is asked again; PlatformError on any other error.
        """
        for attempt in range(6):
            if not self._token and not path.startswith("/"):
                login = {"username": USER, "password": self.password}
                self._token = self.call("POST", "/auth/token", login)["access_token"]
            try:
                return self._send(method, path, body, timeout_seconds)
            except urllib.error.HTTPError as error:
                if error.code == 401 and self._token:
                    self._token = ""  # it expired
                elif error.code < 500 or attempt == 5:
                    raise PlatformError(f"{method} {path}: {error.code} {error.read().decode()[:1000]}") from error
            except OSError as error:
                if attempt == 5:
                    raise PlatformError(f"{self.address} does not answer: {error}") from error
            time.sleep(0.5 * 2**attempt)
        raise PlatformError(f"{method} {path}: login is refused")

    def is_healthy(self, components: tuple[str, ...]) -> bool:
        """Whether all these components answer or have reported lately."""
        try:
            health = self._send("GET", "/api/v2/monitor/health", None, 10)
        except (OSError, ValueError):
            return False
        named = (name.replace("-", "_") for name in components if name != "api-server")
        return all((health.get(name) or {}).get("status") == "healthy" for name in named)

    def _send(self, method: str, path: str, body: dict[str, Any] | None, timeout_seconds: float) -> Any:
        request = urllib.request.Request(
            self.address + (path if path.startswith("/") else f"/api/v2/{path}"),
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json"}
            | ({"Authorization": f"Bearer {self._token}"} if self._token else {}),
            method=method,
        )
        with open_url(request, timeout_seconds=timeout_seconds) as answer:
            return json.load(answer)


def _cores() -> int:
    return len(os.sched_getaffinity(0))
