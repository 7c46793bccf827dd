"""What routes ask of the app: its state, and the models, once they are loaded."""

from typing import Annotated

from fastapi import Depends, Request

from serving.admission import RETRY_SOON
from serving.errors import ServiceError
from serving.models import Lineup
from serving.service import Service


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]


def _lineup(service: ServiceDep) -> Lineup:
    if service.models.lineup is not None:
        return service.models.lineup
    if service.failure is not None:
        raise ServiceError(503, "not_ready", "the model could not be loaded; its operator finds the reason in the log")
    raise ServiceError(503, "not_ready", "the model is loading; try again", retry_after_seconds=RETRY_SOON)


LineupDep = Annotated[Lineup, Depends(_lineup)]
