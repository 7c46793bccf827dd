"""Every way a request can fail, in one shape: `{"error": {"type", "message", "request_id"}}`.

Messages say what the caller can do. They hold nothing of the server's insides, and none of the caller's text.
"""

import difflib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from serving.schemas import ErrorResponse, Problem

REQUEST_ID = "X-Request-Id"
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse} for status in (400, 401, 403, 404, 413, 422, 429, 500, 503)
}
"""Every status that a route may answer with instead of its own, for the OpenAPI page."""
_LONGEST_MESSAGE = 500


class ServiceError(Exception):
    """A request that is not answered, on purpose."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        retry_after_seconds: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message
        wait = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
        self.headers = {**wait, **(headers or {})}


def install(app: FastAPI) -> None:
    """Answer every error of the app in the one shape."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _fault)


def response(scope: Scope, status: int, kind: str, message: str, headers: Mapping[str, str]) -> JSONResponse:
    """An error's answer; its kind goes to the access log too."""
    content = body(scope, kind, message).model_dump()
    return JSONResponse(content, status, headers={**headers, REQUEST_ID: scope["state"]["request_id"]})


def body(scope: Scope, kind: str, message: str) -> ErrorResponse:
    """An error's content, also for streams that have begun; its kind goes to the access log too."""
    state = scope["state"]
    state["log_fields"]["error.type"] = kind
    return ErrorResponse(error=Problem(type=kind, message=message[:_LONGEST_MESSAGE], request_id=state["request_id"]))


async def _service_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)  # noqa: S101 - by registration
    return response(request.scope, error.status, error.kind, error.message, error.headers)


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - by registration
    known = _fields_of(request)
    message = "; ".join(_explain(item, known) for item in error.errors())
    return response(request.scope, 422, "invalid_request", message, {})


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - by registration
    status = HTTPStatus(error.status_code)
    kind = status.phrase.lower().replace(" ", "_")
    return response(request.scope, status, kind, f"{status.phrase}; see /openapi.json", error.headers or {})


async def _fault(request: Request, _: Exception) -> JSONResponse:
    message = "the service failed; tell its operator the request_id"
    return response(request.scope, 500, "internal_error", message, {})


def _fields_of(request: Request) -> list[str]:
    """Fields that the route's body may have."""
    field = getattr(request.scope.get("route"), "body_field", None)
    return list(getattr(field and field.field_info.annotation, "model_fields", []))


def _explain(item: Any, known: list[str]) -> str:
    """A finding of pydantic's without the value that it found."""
    if item["type"] == "json_invalid":
        return f"the body is not valid JSON, at character {item['loc'][-1]}"
    place = ".".join(str(part) for part in item["loc"][1:])
    if item["type"] == "extra_forbidden":
        return f"{place}: unknown field{_nearest(place, known)}"
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _nearest(field: str, known: list[str]) -> str:
    close = difflib.get_close_matches(field, known, n=1)
    return f"; did you mean `{close[0]}`?" if close else f"; known fields: {', '.join(known)}"
