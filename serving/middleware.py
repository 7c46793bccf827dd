"""What every request passes through: an id, one access log line, and a bound on its size."""

import uuid
from time import perf_counter_ns
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import errors
from serving.metrics import Metrics

_PROBES = {"/healthz", "/readyz", "/ping", "/metrics"}
_UNHANDLED = {"http.response.status_code": 500, "error.type": "internal_error"}
log = structlog.get_logger()


class AccessLog:
    """Gives each request an id, returned in a header, and logs one ECS line per answer.

    A route adds its own fields (`gen_ai.*`) through `request.state.log_fields`. Probes are not logged. The line holds
    the route's pattern instead of the path, and no text of prompt or answer.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        fields: dict[str, Any] = {}
        scope.setdefault("state", {}).update(request_id=request_id, log_fields=fields)
        started = perf_counter_ns()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                fields["http.response.status_code"] = message["status"]
                MutableHeaders(scope=message)[errors.REQUEST_ID] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            fields["error.type"] = "internal_error"  # also where a stream had begun, as 200
            raise
        finally:
            if scope["path"] not in _PROBES:
                line = _line(scope, request_id, fields, perf_counter_ns() - started)
                self._metrics.ended(line["url.path"], line["http.response.status_code"], line.get("error.type", ""))
                log.info("request.answered", **line)


class BodyLimit:
    """Answers 413 to a body of more than `max_bytes`, declared or streamed, without reading the rest."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await self._read(scope, receive)
        if body is not None:
            await self._app(scope, _replay(body, receive), send)
            return
        message = f"the request is longer than {self._max_bytes} bytes; shorten the prompt"
        answer = errors.response(scope, 413, "prompt_too_long", message, {"Connection": "close"})
        await answer(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body, or None as soon as it is known to be too long."""
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            return None
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the whole body first, then what the connection says."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _line(scope: Scope, request_id: str, fields: dict[str, Any], duration_ns: int) -> dict[str, Any]:
    route = scope.get("route")
    return {
        "event.dataset": "llmops.access",
        "event.duration": duration_ns,
        "http.request.id": request_id,
        "http.request.method": scope["method"],
        "url.path": getattr(route, "path", "-"),
        **(fields if "http.response.status_code" in fields else {**fields, **_UNHANDLED}),
    }
