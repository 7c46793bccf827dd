"""HTTP over loopback, past any proxy through which this machine reaches the package index."""

import socket
import urllib.request
from http.client import HTTPResponse

NO_PROXY = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
"""For the environment of processes that talk to each other over loopback."""
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def open_url(request: str | urllib.request.Request, *, timeout_seconds: float) -> HTTPResponse:
    """The answer to a request; raises as `urllib.request.urlopen` does."""
    answer: HTTPResponse = _opener.open(request, timeout=timeout_seconds)
    return answer


def free_port(wanted: int = 0) -> int:
    """The wanted port of the loopback address if nothing listens there, else any free one; OSError if there is none."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
