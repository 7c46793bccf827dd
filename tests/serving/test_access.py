"""Who may call what: every route with every role, and with no key, a wrong one, an expired and a revoked one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from llmops.governance.access import keys
from llmops.governance.access.identity import Allowance
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.roles import Role
from llmops.settings import Settings
from tests.serving.conftest import Serve, key_of, make_key

USER, DEVELOPER, ADMIN = Role.USER, Role.DEVELOPER, Role.ADMIN
_ASK: dict[str, Any] = {"prompt": "Hi", "max_new_tokens": 1}
_CHAT = {"model": "champion", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
_COMPLETE = {"model": "champion", "prompt": "Hi", "max_tokens": 1}
_FEEDBACK = {"id": "0" * 64, "rating": "good", "consent": False}
ROUTES: list[tuple[str, str, Any, dict[Role, int]]] = [
    ("POST", "/generate", _ASK, {USER: 200, DEVELOPER: 200, ADMIN: 200}),
    ("POST", "/generate", {**_ASK, "stream": True}, {USER: 200, DEVELOPER: 200, ADMIN: 200}),
    ("POST", "/generate", {**_ASK, "model": "base"}, {USER: 403, DEVELOPER: 200, ADMIN: 200}),
    ("POST", "/v1/chat/completions", _CHAT, {USER: 200, DEVELOPER: 200, ADMIN: 200}),
    ("POST", "/v1/chat/completions", {**_CHAT, "model": "base"}, {USER: 403, DEVELOPER: 200, ADMIN: 200}),
    ("POST", "/v1/completions", _COMPLETE, {USER: 200, DEVELOPER: 200, ADMIN: 200}),
    ("POST", "/invocations", _ASK, {USER: 200, DEVELOPER: 200, ADMIN: 200}),
    ("GET", "/v1/models", None, {USER: 200, DEVELOPER: 200, ADMIN: 200}),
    ("POST", "/v1/feedback", _FEEDBACK, {USER: 404, DEVELOPER: 404, ADMIN: 404}),  # nobody's answer
    ("GET", "/metrics", None, {USER: 403, DEVELOPER: 200, ADMIN: 200}),
]
OPEN = [
    "/",
    "/page/chat.js",
    "/page/chat.css",
    "/docs",
    "/page/swagger/swagger-ui.css",
    "/healthz",
    "/readyz",
    "/ping",
    "/openapi.json",
]
_NAMES = [f"{method} {path} {body.get('model', '') if body else ''}" for method, path, body, _ in ROUTES]


def test_every_route_is_listed_here(client: httpx.Client) -> None:
    described = {
        (method.upper(), path)
        for path, methods in client.get("/openapi.json").json()["paths"].items()
        for method in methods
    }

    listed = {(method, path) for method, path, *_ in ROUTES} | {("GET", path) for path in OPEN}
    assert described <= listed


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("method", "path", "body", "expected"), ROUTES, ids=_NAMES)
def test_role_gets_what_the_matrix_says(
    method: str, path: str, body: Any, expected: dict[Role, int], role: Role, client: httpx.Client, published: Settings
) -> None:
    headers = {"Authorization": f"Bearer {make_key(published, role)}"}

    response = client.request(method, path, json=body, headers=headers)

    assert response.status_code == expected[role], response.text


def refused_keys(settings: Settings) -> dict[str, str]:
    """Headers that let nobody in, by what is wrong with them."""
    store, now = KeyStore(settings.access_keys), datetime.now(UTC)
    good = make_key(settings, ADMIN)
    expired = keys.create(store, role=ADMIN, subject="old", now=now - timedelta(days=2), lifetime_days=1)
    revoked = make_key(settings, ADMIN)
    store.revoke(revoked.split("_")[1], now)
    return {
        "none": "",
        "empty": "Bearer",
        "wrong secret": f"Bearer {good[:-4]}AAAA",
        "unknown": "Bearer llmops_000000000000_" + "A" * 43,
        "no key at all": "Bearer hello",
        "other scheme": f"Basic {good}",
        "expired": f"Bearer {expired}",
        "revoked": f"Bearer {revoked}",
    }


@pytest.mark.parametrize(("method", "path", "body", "expected"), ROUTES, ids=_NAMES)
def test_no_valid_key_is_401_and_all_look_alike(
    method: str, path: str, body: Any, expected: dict[Role, int], client: httpx.Client, published: Settings
) -> None:
    for what, header in refused_keys(published).items():
        with httpx.Client(base_url=client.base_url, timeout=60) as stranger:
            response = stranger.request(method, path, json=body, headers={"Authorization": header} if header else {})

        assert response.status_code == 401, what
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert response.json()["error"]["message"] == "no valid API key or bearer token"


@pytest.mark.parametrize("path", OPEN)
def test_what_holds_nothing_secret_needs_no_key(path: str, client: httpx.Client) -> None:
    with httpx.Client(base_url=client.base_url) as stranger:
        assert stranger.get(path).status_code == 200


def test_key_works_at_once_and_no_longer_once_revoked(client: httpx.Client, published: Settings) -> None:
    key = make_key(published, USER)
    headers = {"Authorization": f"Bearer {key}"}

    before = client.get("/v1/models", headers=headers).status_code
    KeyStore(published.access_keys).revoke(key.split("_")[1], datetime.now(UTC))
    after = client.get("/v1/models", headers=headers).status_code

    assert (before, after) == (200, 401)


def limited_key(settings: Settings, **limits: int) -> dict[str, str]:
    key = keys.create(
        KeyStore(settings.access_keys),
        role=USER,
        subject="limited",
        now=datetime.now(UTC),
        lifetime_days=1,
        allowance=Allowance(**limits),
    )
    return {"Authorization": f"Bearer {key}"}


def test_rate_of_a_key_is_kept_and_others_go_on(client: httpx.Client, published: Settings) -> None:
    headers = limited_key(published, requests_per_minute=3)

    answers = [client.get("/v1/models", headers=headers) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].json()["error"]["type"] == "too_many_requests"
    assert client.get("/v1/models").status_code == 200


def test_budget_of_a_key_ends_with_its_tokens(client: httpx.Client, published: Settings) -> None:
    headers = limited_key(published, tokens_per_day=60)
    asked = {"prompt": "Where is my parcel?", "max_new_tokens": 8, "temperature": 1, "seed": 1}

    answers = []
    while not answers or answers[-1].status_code == 200:
        answers.append(client.post("/generate", json=asked, headers=headers))
        assert len(answers) < 10

    spent = sum(
        answer.json()["usage"]["prompt_tokens"] + answer.json()["usage"]["completion_tokens"] for answer in answers[:-1]
    )
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"]["type"] == "budget_spent"
    assert int(answers[-1].headers["Retry-After"]) > 3_600
    assert spent >= 60


def test_a_key_is_written_to_no_log(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    client = serve()
    key = key_of(client)

    client.post("/generate", json=_ASK)
    client.post("/generate", json=_ASK, headers={"Authorization": f"Bearer {key}x"})

    told = "".join(capfd.readouterr())
    assert "request.answered" in told
    assert key.split("_")[2] not in told
