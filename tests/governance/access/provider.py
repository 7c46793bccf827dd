"""An identity provider for tests: a key set over http on loopback, and tokens signed with its keys."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://login.example/shop", "llmops"


def make_key(algorithm: str) -> PrivateKeyTypes:
    """A new private key for that algorithm."""
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}
    return ec.generate_private_key(curves[algorithm])


def public_jwk(private: Any, key_id: str, algorithm: str | None = None, **more: str) -> dict[str, Any]:
    """The public half as providers list it."""
    kinds: list[tuple[type, Any]] = [
        (rsa.RSAPrivateKey, RSAAlgorithm),
        (ec.EllipticCurvePrivateKey, ECAlgorithm),
        (ed25519.Ed25519PrivateKey, OKPAlgorithm),
    ]
    to_jwk = next(algorithm_class for kind, algorithm_class in kinds if isinstance(private, kind)).to_jwk
    named = {"alg": algorithm} if algorithm else {}
    return {**to_jwk(private.public_key(), as_dict=True), "kid": key_id, **named, **more}


def make_token(private: Any, key_id: str | None, algorithm: str = "RS256", **changes: Any) -> str:
    """A token that is good now; a change to None leaves that claim out."""
    now = datetime.now(UTC)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "iat": now,
        "exp": now + timedelta(minutes=5),
        "roles": ["developer"],
    } | changes
    headers = {} if key_id is None else {"kid": key_id}
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, private, algorithm=algorithm, headers=headers)


class Provider(ThreadingHTTPServer):
    """Serves `keys` under `address`; with `answer` set, that instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}/keys"
        self.keys: list[dict[str, Any]] = []
        self.answer: tuple[int, bytes] | None = None
        self.fetches = 0


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        self.server.fetches += 1
        status, body = self.server.answer or (200, json.dumps({"keys": self.server.keys}).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@contextmanager
def running_provider() -> Iterator[Provider]:
    """A provider without keys, until the context ends."""
    with Provider() as provider:
        thread = threading.Thread(target=provider.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield provider
        finally:
            provider.shutdown()
            thread.join()
