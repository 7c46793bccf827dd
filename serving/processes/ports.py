"""The port that requests come to, for one process or for several."""

import socket

import structlog

from llmops.errors import ConfigurationError

log = structlog.get_logger()


def bind(host: str, port: int) -> socket.socket:
    """A socket of this process alone; ConfigurationError when the port is taken."""
    try:
        return _bind(host, port, is_shared=False)
    except OSError as error:
        raise ConfigurationError(
            f"{host}:{port}: cannot listen there ({error.strerror}); choose another port"
        ) from error


def reserve(host: str, port: int) -> socket.socket:
    """A port that nobody listens on, held for processes that `join` it; ConfigurationError when it is taken.

    Bound for itself first: a port that may be shared would not be refused while another service shares it.
    """
    with bind(host, port) as alone:
        number = alone.getsockname()[1]
    return join(host, number)


def join(host: str, port: int) -> socket.socket:
    """A socket of one of several processes on a port.

    Each has its own, and the kernel spreads connections over those that listen by a hash (SO_REUSEPORT). With one
    listening socket for all, a process that wakes takes every connection that waits: of 256 that came at once, four
    processes took 2, 23, 65 and 166. What a process that ends has not accepted yet is lost, as what it has.
    """
    return _bind(host, port, is_shared=True)


def tell(host: str, port: int) -> None:
    """Say in the log where it is."""
    log.info("service.listening", **{"server.address": host, "server.port": port})


def _bind(host: str, port: int, *, is_shared: bool) -> socket.socket:
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind((host, port))
    except OSError:
        found.close()
        raise
    return found
