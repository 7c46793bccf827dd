"""The access log's line when an application breaks, told by what was sent until then."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from serving.admission import Places
from serving.metrics import Metrics
from serving.middleware import AccessLog


@pytest.mark.parametrize(("has_begun", "status"), [(True, 200), (False, 500)])
def test_an_answer_that_breaks_is_logged_as_an_error_whatever_its_status(has_begun: bool, status: int) -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        if has_begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("a fault of ours")

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        pass

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/generate", "headers": []}
    with capture_logs() as found, pytest.raises(RuntimeError, match="a fault of ours"):
        asyncio.run(AccessLog(breaks, Metrics(Places(1)))(scope, receive, send))

    (line,) = found
    assert (line["http.response.status_code"], line["error.type"]) == (status, "internal_error")
