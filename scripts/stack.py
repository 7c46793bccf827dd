"""`make up` and `make down`: Airflow, MLflow's UI and the model service, for use in a browser on this machine."""

import secrets
import sys
import time
from datetime import UTC, datetime

from llmops.errors import ConfigurationError
from llmops.governance.access import mlflow
from llmops.governance.access.default_passwords import refuse_defaults
from llmops.settings import Settings
from scripts import pipeline_run, service
from scripts.access import make_key
from scripts.local_airflow import HOME, PROJECT, USER, LocalAirflow, PlatformError, environment, is_development
from scripts.loopback import free_port, open_url
from scripts.prepare import lake
from scripts.processes import Processes

_MLFLOW_SECONDS = 180


def up() -> int:
    """Start everything, wait until it answers, print addresses and logins; the exit status."""
    processes = Processes(HOME / "run")
    if processes.running():
        print("error: it runs already; `make down` ends it, then run this again", file=sys.stderr)
        return 1
    try:
        _start(processes)
    except BaseException as error:
        processes.stop()
        if not isinstance(error, PlatformError | ConfigurationError):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def down() -> int:
    """End everything, also what a killed `make demo` left; the exit status."""
    names = Processes(HOME / "run").stop()
    print(f"ended: {', '.join(names)}" if names else "nothing was running")
    return 0


def _start(processes: Processes) -> None:
    print("starting Airflow …", flush=True)
    port, since = free_port(8080), datetime.now(UTC)
    airflow = LocalAirflow()
    given = environment(airflow.settings(port))
    refuse_defaults(Settings(environment="development" if is_development() else "production"), given)
    places = {"LLMOPS_HOME": str(HOME), "LLMOPS_LAKE": str(lake())}
    places["LLMOPS_ENVIRONMENT"] = environment({})["LLMOPS_ENVIRONMENT"]
    client = airflow.start(processes, port, places)
    pipeline_run.wait_for_dag(client, since)
    shell_file = HOME / "env.sh"
    airflow.write_shell_file(shell_file, port, places)
    print(f"  Airflow   {client.address}  user {USER}, password {airflow.password}", flush=True)
    print(f"  MLflow    {_start_mlflow(processes)}", flush=True)
    if service.has_champion(lake()):
        address = service.start(processes, free_port(8000), lake())
        print(f"  service   {address}/#key={make_key(HOME)}", flush=True)
        print("            a page to talk to the model; the key, good for a day, is for POST /generate too", flush=True)
    else:
        print("  service   not started: nothing is published yet; run `make demo`, or llmops_pipeline in Airflow")
    print(f"In a shell: `. {shell_file}` makes `airflow` and `llmops` work. `make down` ends it all.")


def _start_mlflow(processes: Processes) -> str:
    port = free_port(5000)
    address = f"http://127.0.0.1:{port}"
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    variables, login = {}, "no login"
    if not is_development():
        config = HOME / "mlflow/basic_auth.ini"
        if not config.exists():
            mlflow.write_config(config)
        variables = {"MLFLOW_AUTH_CONFIG_PATH": str(config), "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32)}
        command += ["--app-name", "basic-auth"]
        login = f"user {mlflow.ADMINISTRATOR}, password in {config}"
    command += ["--backend-store-uri", Settings().tracking_uri]
    processes.start("mlflow", command, environment(variables), PROJECT)
    deadline = time.monotonic() + _MLFLOW_SECONDS
    while "mlflow" in processes.running() and time.monotonic() < deadline:
        try:
            with open_url(f"{address}/health", timeout_seconds=10):
                return f"{address}  {login}"
        except OSError:
            time.sleep(0.5)
    raise PlatformError(f"MLflow does not answer; the end of its log:\n{processes.tail('mlflow')}")


if __name__ == "__main__":
    commands = {"up": up, "down": down}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit("usage: python -m scripts.stack up|down")
    sys.exit(commands[sys.argv[1]]())
