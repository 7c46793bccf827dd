"""Bearer tokens of an identity provider (OpenID Connect): JSON Web Tokens, verified as RFC 8725 advises.

A token must be signed by a key of the provider's set with the algorithm of that key, be issued by the configured
issuer for the configured audience, be within its time and name one of our roles.

Not covered: opaque tokens, and revocation before a token expires. Let the provider give out short-lived ones.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import jwt

from llmops.errors import BadTokenError, ExpiredCredentialError, NoRoleError
from llmops.governance.access.identity import Identity
from llmops.governance.access.jwks import KeySet
from llmops.governance.access.roles import Role, highest

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric ones only: with a symmetric one, whoever verifies could sign too (RFC 8725, sections 2.1 and 3.1)."""
_REQUIRED = ("exp", "iat", "iss", "aud", "sub")
_LEEWAY = timedelta(seconds=30)
_MAX_CHARACTERS = 16_384
"""Longer ones are not parsed; providers' tokens have 1,000 to 8,000."""
_MAX_SUBJECT = 255
"""OpenID Connect Core 1.0, section 2: `sub` has at most 255 characters."""


class TokenVerifier:
    """Verifies the tokens of one provider."""

    def __init__(self, keys: KeySet, *, issuer: str, audience: str, roles_claim: str = "roles") -> None:
        self._keys, self._issuer, self._audience, self._roles_claim = keys, issuer, audience, roles_claim
        self._jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True, "require": list(_REQUIRED)})

    async def verify(self, token: str) -> Identity:
        """The identity behind a token.

        Raises BadTokenError, ExpiredCredentialError or NoRoleError, which clients must not be able to tell apart, and
        AccessUnavailableError while the provider's keys cannot be read.
        """
        key = await self._keys.find(_key_id(token))
        try:
            claims: dict[str, Any] = self._jwt.decode(
                token, key, algorithms=_ALGORITHMS, issuer=self._issuer, audience=self._audience, leeway=_LEEWAY
            )
        except jwt.ExpiredSignatureError as error:
            raise ExpiredCredentialError(f"{_name(token)}: expired") from error
        except jwt.PyJWTError as error:
            raise BadTokenError(f"{_name(token)}: {type(error).__name__}") from error
        return self._identity(claims, _name(token))

    def _identity(self, claims: Mapping[str, Any], name: str) -> Identity:
        subject: str = claims["sub"]
        if not subject.strip() or len(subject) > _MAX_SUBJECT:
            raise BadTokenError(f"{name}: `sub` must have 1 to {_MAX_SUBJECT} characters")
        role = role_in(claims, self._roles_claim)
        if role is None:
            raise NoRoleError(f"{name}: no role of ours in `{self._roles_claim}`")
        # A hash, because counters and their storage need not know who it is.
        account = hashlib.sha256(f"{self._issuer}\n{subject}".encode()).hexdigest()[:32]
        return Identity(subject, role, credential=name, account=f"subject:{account}")


def role_in(claims: Mapping[str, Any], path: str) -> Role | None:
    """The highest of our roles that the claim at `path` names: a string or a list, deeper down between dots.

    A claim that has the whole path as its name goes first: some providers name theirs like an address.
    """
    value: Any = claims
    for part in [path] if path in claims else path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return highest([name for name in names if isinstance(name, str)])


def _key_id(token: str) -> str:
    """The `kid` of a token that may be worth a look into the key set; nothing of it is verified yet."""
    if len(token) > _MAX_CHARACTERS:
        raise BadTokenError(f"{len(token)} characters: longer than any token that is read")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError) as error:  # ValueError: text that is not UTF-8
        raise BadTokenError(f"{_name(token)}: not a JSON Web Token") from error
    key_id = header.get("kid")
    if not isinstance(key_id, str):
        raise BadTokenError(f"{_name(token)}: does not name its key")
    return key_id


def _name(token: str) -> str:
    """What a log may hold of a token."""
    return f"token:{hashlib.sha256(token.encode(errors='surrogatepass')).hexdigest()[:12]}"
