"""What routes ask of the app: its state, who asks, and the models, once they are loaded.

Coroutines, though nothing is awaited: FastAPI hands plain functions to threads, which takes longer than they do.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from llmops.errors import AccessUnavailableError, CredentialError
from llmops.governance.access.authentication import REFUSAL
from llmops.governance.access.identity import Identity
from llmops.governance.access.roles import Action, may
from serving.admission import RETRY_SOON
from serving.errors import ServiceError
from serving.models import Lineup
from serving.service import Service

_bearer = HTTPBearer(auto_error=False, description="An API key (`llmops access create-key`) or a token of the provider")


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]


async def _lineup(service: ServiceDep) -> Lineup:
    if service.failure is not None:
        raise ServiceError(503, "not_ready", "the service has failed; its operator finds the reason in the log")
    if service.models.lineup is not None:
        return service.models.lineup
    raise ServiceError(503, "not_ready", "the model is loading; try again", retry_after_seconds=RETRY_SOON)


LineupDep = Annotated[Lineup, Depends(_lineup)]


def allowed(action: Action) -> Callable[..., Awaitable[Identity]]:
    """A dependency: who asks, if that one may do this, and not too often.

    401 without a valid key or token, 403 without the role, 429 beyond the rate.
    """

    async def check(
        request: Request,
        service: ServiceDep,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> Identity:
        fields = request.state.log_fields
        try:
            given = credentials.credentials if credentials else None
            identity = await service.authenticator.identify(given, datetime.now(UTC))
            fields.update({"user.id": identity.credential, "user.roles": [identity.role.value]})
            require(identity, action)
            wait = await service.limits.admit(identity)
        except CredentialError as error:
            fields["error.message"] = str(error)  # for the log: which of them it was is not for the client
            raise ServiceError(401, "unauthorized", REFUSAL, headers={"WWW-Authenticate": "Bearer"}) from error
        except AccessUnavailableError as error:
            raise ServiceError(
                503, "access_unavailable", "who asks cannot be checked now; try again", retry_after_seconds=RETRY_SOON
            ) from error
        if wait:
            raise ServiceError(429, "too_many_requests", "too many requests a minute", retry_after_seconds=wait)
        return identity

    return check


def require(identity: Identity, action: Action) -> None:
    """403 for somebody whose role does not allow this."""
    if not may(identity.role, action):
        needed = action.value.replace("_", " ")
        raise ServiceError(403, "forbidden", f"the role {identity.role.value} may not {needed}; ask for another key")


GeneratorDep = Annotated[Identity, Depends(allowed(Action.GENERATE))]
