"""`llmops access verify`: tries every route and every command with every role, and holds it against the role matrix."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import structlog
from cyclopts import Parameter

from llmops import artifacts, digests
from llmops.cli import app as command_line
from llmops.errors import AccessViolationError, ConfigurationError
from llmops.governance.access import credentials as kinds
from llmops.governance.access import default_passwords
from llmops.governance.access.config import VerifyAccessConfig
from llmops.governance.access.findings import Check, report
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.logins import read_logins
from llmops.governance.access.roles import Role
from llmops.manifest import Manifest
from llmops.publishing.preview import write_preview
from llmops.settings import Settings
from llmops.verification.airflow_checks import check_airflow
from llmops.verification.command_checks import check_commands, commands_of
from llmops.verification.policy import digest_of_policy
from llmops.verification.route_checks import check_routes, routes_of
from llmops.verification.temporary import running
from serving.app import create_app
from serving.settings import ServingSettings

REPORT = "access.json"
log = structlog.get_logger()


def verify_access(
    target: str,
    *,
    candidate: str | None = None,
    url: str | None = None,
    keys: Path | None = None,
    airflow_url: str | None = None,
    airflow_logins: Path | None = None,
    config: VerifyAccessConfig,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> Manifest:
    """Write access.json, the report of every attempt, under `target`; exit status 1 if any came out wrong.

    Every route of the service and every command is tried with keys of each role, and with none, unknown, wrong,
    expired and revoked ones. What should happen comes from the role matrix; a route or command that has no action
    there fails. `manifest.metrics` holds `checks` and `failures`. It is looked anew each time, whatever stands there.

    Parameters
    ----------
    target
        Where the report goes.
    candidate
        Before publication: an adapter, from `llmops finetune`. A service of its own is started with it.
    url
        A running service instead; keys for the check are made in the key file that it reads, and taken away again.
    keys
        JSON file `{"user": KEY, "developer": KEY, "admin": KEY}`, where the running service reads another key file.
    airflow_url
        Airflow's address, to try its REST API too.
    airflow_logins
        JSON file `{"user": {"username": …, "password": …}, …}` with logins there; a role without one fails.
    """
    if (candidate is None) == (url is None):
        raise ConfigurationError("give either --candidate or --url: what is to be tried")
    if airflow_url is not None and airflow_logins is None:
        raise ConfigurationError("--airflow-url needs --airflow-logins: a file with a login for each role")
    adapter = artifacts.read(candidate, stage="finetune") if candidate else None
    with artifacts.recomputing():
        attempt = artifacts.begin(
            target,
            stage="access",
            version=1,
            config=config,
            inputs=[adapter] if adapter else [],
            day=adapter.day if adapter else None,
            depends_on={"policy": digest_of_policy()},
        )
    checks = default_passwords.look(settings)
    with _service(adapter, url, config, settings) as (address, store_settings):
        checks += _try_everything(address, keys, store_settings)
    if airflow_url is not None and airflow_logins is not None:
        checks += check_airflow(airflow_url, read_logins(airflow_logins))
    content = report(checks)
    attempt.write_bytes(REPORT, digests.canonical_json(content))
    manifest = attempt.commit(metrics={"checks": float(content["n"]), "failures": float(content["failures"])})
    log.info("access.verified", checks=content["n"], failures=content["failures"])
    if content["failures"]:
        raise AccessViolationError(
            f"{target}: {content['failures']} of {content['n']} failed:\n{_lines(content['failed'])}"
        )
    return manifest


@contextmanager
def _service(
    adapter: Manifest | None, url: str | None, config: VerifyAccessConfig, settings: Settings
) -> Iterator[tuple[str, Settings]]:
    """The address to try, and the settings with the key file that is read there."""
    if adapter is None:
        yield str(url), settings
        return
    with tempfile.TemporaryDirectory(prefix="llmops-access-") as folder:
        home = Path(folder)
        own = write_preview(adapter, home, settings)
        with running(own, home / "service.log", config) as address:
            yield address, own


def _try_everything(address: str, keys: Path | None, settings: Settings) -> list[Check]:
    app = create_app(ServingSettings(platform=settings))
    commands = sorted(commands_of(command_line))
    store = KeyStore(settings.access_keys)
    made = kinds.in_store(store) if keys is None else nullcontext(kinds.from_keys(_read_keys(keys)))
    with made as credentials:
        checks = check_routes(address, routes_of(app), credentials)
    # Commands read the keys of this machine, which need not be those of the service.
    with kinds.in_store(store) as credentials:
        checks += check_commands(commands, credentials, settings)
    return checks


def _read_keys(path: Path) -> dict[Role, str]:
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        found = {Role(name): str(key) for name, key in given.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{path}: not a JSON file of keys by role") from error
    if missing := sorted(set(Role) - set(found)):
        raise ConfigurationError(f"{path}: no key for {', '.join(missing)}; every role must be tried")
    return found


def _lines(failed: Sequence[dict[str, str]]) -> str:
    return "\n".join(
        f"  {item['kind']} {item['what']}, {item['who']}: expected {item['expected']}, got {item['got']}"
        for item in failed[:50]
    )
