"""The one door: what a client presents becomes an identity, or an error."""

from datetime import datetime

from llmops.errors import BadTokenError, MissingCredentialError
from llmops.governance.access import keys
from llmops.governance.access.identity import Identity
from llmops.governance.access.jwks import KeySet
from llmops.governance.access.keystore import KeyStore
from llmops.governance.access.roles import Role
from llmops.governance.access.tokens import TokenVerifier
from llmops.settings import Settings

REFUSAL = "no valid API key or bearer token"
"""What a client is told, whichever CredentialError it was; the error's own message is for the log."""
_ANYONE = Identity("anyone", Role.USER, credential="open", account="open")


class Authenticator:
    """Knows the keys and the provider of one installation; to be used within one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._keys = KeyStore(settings.access_keys)
        self._is_open = settings.open_access
        self._tokens = _token_verifier(settings)

    async def identify(self, credential: str | None, now: datetime) -> Identity:
        """Who presents `credential`, an API key or a token without the word `Bearer`; None for nothing.

        `now` counts for keys; for tokens PyJWT reads the clock itself. Raises a CredentialError, or
        AccessUnavailableError when that cannot be decided.
        """
        if not credential:
            if self._is_open:
                return _ANYONE
            raise MissingCredentialError("neither an API key nor a token")
        if credential.startswith(keys.PREFIX):
            return keys.verify(credential, self._keys, now)
        if self._tokens is None:
            raise BadTokenError("not an API key, and no identity provider is set")
        return await self._tokens.verify(credential)


def _token_verifier(settings: Settings) -> TokenVerifier | None:
    if settings.oidc_issuer is None or settings.oidc_audience is None or settings.oidc_jwks is None:
        return None
    return TokenVerifier(
        KeySet(settings.oidc_jwks),
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        roles_claim=settings.oidc_roles_claim,
    )
