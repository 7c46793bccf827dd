"""Tries Airflow's REST API with a login of each role; nothing that is asked for there exists, so nothing is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from llmops.governance.access.findings import Check
from llmops.governance.access.logins import Login
from llmops.governance.access.roles import Action, Role, may

_NOTHING = "llmops_access_verify"
"""Name of a DAG, variable, … that there is not: who may ask gets 404 or 422, who may not 403."""
_SECONDS = 60.0
LET_IN, REFUSED = "let in", "refused"
DEVELOPERS_DAG = "llmops_pipeline"
ADMINS_DAG = "canary"


@dataclass(frozen=True)
class Request:
    """One request to the REST API, and the action that it is."""

    what: str
    method: str
    path: str
    action: Action
    body: Mapping[str, Any] | None = None


_BAD_RUN = {"logical_date": "no date", "conf": {}}  # whoever may start a run is told that this is none
REQUESTS = (
    Request("list DAGs", "GET", "dags", Action.READ_REPORTS),
    Request("read a DAG", "GET", f"dags/{DEVELOPERS_DAG}", Action.READ_REPORTS),
    Request("list runs", "GET", f"dags/{DEVELOPERS_DAG}/dagRuns", Action.READ_REPORTS),
    Request("trigger a DAG", "POST", f"dags/{DEVELOPERS_DAG}/dagRuns", Action.RUN_PIPELINE, _BAD_RUN),
    Request("trigger a DAG of Admins", "POST", f"dags/{ADMINS_DAG}/dagRuns", Action.MANAGE_RELEASES, _BAD_RUN),
    Request("edit a DAG of Admins", "PATCH", f"dags/{ADMINS_DAG}", Action.EDIT_PIPELINE, {"is_paused": "neither"}),
    Request("delete a DAG", "DELETE", f"dags/{_NOTHING}", Action.EDIT_PIPELINE),
    Request("list variables", "GET", "variables", Action.EDIT_PIPELINE),
    Request("delete a variable", "DELETE", f"variables/{_NOTHING}", Action.EDIT_PIPELINE),
    Request("list connections", "GET", "connections", Action.EDIT_PIPELINE),
    Request("delete a connection", "DELETE", f"connections/{_NOTHING}", Action.EDIT_PIPELINE),
    Request("delete a pool", "DELETE", f"pools/{_NOTHING}", Action.EDIT_PIPELINE),
)


def check_airflow(address: str, logins: Mapping[Role, Login]) -> list[Check]:
    """What each request gets, against the matrix: without a token, with a bad one, and with each role's own."""
    with httpx.Client(base_url=address, timeout=_SECONDS, trust_env=False) as client:
        checks = [
            Check("airflow", request.what, who, REFUSED, _got(client, request, token))
            for who, token in (("nobody, no token", None), ("nobody, bad token", "hello"))
            for request in REQUESTS
        ]
        for role in Role:
            token = _token(client, logins[role]) if role in logins else None
            if token is None:
                checks.append(Check("airflow", "log in", role.value, expected="a token", got="none"))
                continue
            checks += [
                Check(
                    "airflow",
                    request.what,
                    role.value,
                    expected=LET_IN if may(role, request.action) else REFUSED,
                    got=_got(client, request, token),
                )
                for request in REQUESTS
            ]
    return checks


def _token(client: httpx.Client, login: Login) -> str | None:
    try:
        answer = client.post("/auth/token", json=login._asdict())
    except httpx.HTTPError:
        return None
    return str(answer.json()["access_token"]) if answer.status_code == 201 else None


def _got(client: httpx.Client, request: Request, token: str | None) -> str:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        answer = client.request(request.method, f"/api/v2/{request.path}", json=request.body, headers=headers)
    except httpx.HTTPError as error:
        return f"no answer: {type(error).__name__}"
    status = answer.status_code
    if status in {401, 403}:  # Airflow answers a token that is none with 403, as it does a role
        return REFUSED
    return str(status) if status == 429 or status >= 500 else LET_IN
