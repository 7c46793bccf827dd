"""Tries every route of a service with every credential."""

import time
from collections.abc import Iterator, Sequence

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route

from llmops.governance.access.credentials import Credential
from llmops.governance.access.findings import Check, without_expectation
from llmops.governance.access.routes import PROBES, Probe

OPEN, LET_IN, UNKNOWN, FORBIDDEN = "answered", "let in", "401", "403"
_SILENT_METHODS = {"HEAD", "OPTIONS"}
_SECONDS = 120.0
_PAST_THE_DOOR = {"no_customer_data", "no_feedback"}
"""What only somebody who was let in is told, by a service that lacks something: 503 all the same."""
_BUSY_ATTEMPTS = 5


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    """Method and pattern of every route of an app: those in its schema, those beside it, and mounted folders."""
    return set(_routes(app.routes))


def _routes(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Mount):
            yield "GET", route.path
        elif isinstance(route, APIRoute | Route):
            yield from ((method, route.path) for method in (route.methods or {"ANY"}) - _SILENT_METHODS)
        elif (inner := getattr(route, "routes", None)) is not None:
            yield from _routes(inner)
        else:  # WebSockets, and what is not known yet
            yield "ANY", getattr(route, "path", repr(route))


def described_by(client: httpx.Client) -> set[tuple[str, str]]:
    """Method and pattern of every route in the schema that a running service gives."""
    paths = client.get("/openapi.json").raise_for_status().json()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def check_routes(
    address: str,
    routes: set[tuple[str, str]],
    credentials: Sequence[Credential],
    probes: Sequence[Probe] = PROBES,
) -> list[Check]:
    """What each route answers to each credential, against the matrix.

    `routes` are what the app says that it has, beside what its schema says; one of them without a probe fails, and so
    does a probe of a route that is not there.
    """
    with httpx.Client(base_url=address, timeout=_SECONDS, trust_env=False) as client:
        present = routes | described_by(client)
        expected = {(probe.method, probe.path) for probe in probes}
        checks = [without_expectation("route", f"{method} {path}") for method, path in sorted(present - expected)]
        checks += [
            Check("route", probe.name, "anyone", expected="a route", got="no such route")
            for probe in probes
            if (probe.method, probe.path) not in present
        ]
        for probe in probes:
            checks += [_check(client, probe, credential) for credential in credentials]
    return checks


def _check(client: httpx.Client, probe: Probe, credential: Credential) -> Check:
    return Check("route", probe.name, credential.name, _expected(probe, credential), _got(client, probe, credential))


def _expected(probe: Probe, credential: Credential) -> str:
    if probe.action is None:
        return OPEN
    if credential.role is None:
        return UNKNOWN
    return LET_IN if credential.may(probe.action) else FORBIDDEN


def _got(client: httpx.Client, probe: Probe, credential: Credential) -> str:
    headers = {} if credential.value is None else {"Authorization": f"Bearer {credential.value}"}
    for attempt in range(_BUSY_ATTEMPTS):
        try:
            answer = client.request(probe.method, f"{probe.path}{probe.file}", json=probe.body, headers=headers)
        except httpx.HTTPError as error:
            return f"no answer: {type(error).__name__}"
        if _problem(answer) != "busy":
            break
        time.sleep(2**attempt)  # a service in use may have no place free
    return _meaning(answer, is_open=probe.action is None)


def _meaning(answer: httpx.Response, *, is_open: bool) -> str:
    """A route that is open must answer; one that let somebody in may still find fault with the request (4xx).

    429 and 5xx say nothing about access: they are no outcome that is ever expected.
    """
    status = answer.status_code
    if is_open:
        return OPEN if status < 400 else str(status)
    says_nothing = status == 429 or (status >= 500 and _problem(answer) not in _PAST_THE_DOOR)
    return str(status) if status in {401, 403} or says_nothing else LET_IN


def _problem(answer: httpx.Response) -> str:
    """The `error.type` of an answer of ours; empty for none."""
    try:
        return str(answer.json()["error"]["type"]) if answer.status_code >= 400 else ""
    except (ValueError, KeyError, TypeError):
        return ""
