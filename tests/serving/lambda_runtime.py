"""Lambda's side of a function: the Runtime API on loopback, for AWS's own runtime client to poll.

Paths and headers as in https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
"""

import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_VERSION = "/2018-06-01/runtime"


class RuntimeApi:
    """Hands out events one by one and collects what the function posts."""

    def __init__(self) -> None:
        self._events: queue.Queue[tuple[str, dict[str, Any], float]] = queue.Queue()
        self.posted: queue.Queue[tuple[str, Any]] = queue.Queue()
        """Path below the version and JSON body."""
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                number, event, seconds = api._events.get()
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Lambda-Runtime-Aws-Request-Id", number)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + seconds) * 1000)))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:1:function:llmops")
                self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                api.posted.put((self.path.removeprefix(_VERSION), json.loads(body)))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def invoke(self, number: str, event: dict[str, Any], seconds: float = 60) -> tuple[str, Any]:
        """Give an event with a deadline; where the function posts its answer, and the answer."""
        self._events.put((number, event, seconds))
        return self.posted.get(timeout=120)

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
