"""The routes for machines that watch: liveness, readiness, metrics."""

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from llmops.governance.access.roles import Action
from serving.api.dependencies import LineupDep, ServiceDep, allowed
from serving.schemas import Health, Readiness

router = APIRouter(tags=["probes"])


@router.get("/healthz")
async def healthz() -> Health:
    """The process lives and its event loop turns."""
    return Health()


@router.get("/readyz")
async def readyz(lineup: LineupDep) -> Readiness:
    """The model is loaded: requests are answered."""
    return Readiness(model=lineup.champion.version)


@router.get("/metrics", response_class=PlainTextResponse, dependencies=[Depends(allowed(Action.READ_METRICS))])
async def metrics(service: ServiceDep) -> PlainTextResponse:
    """Counters and histograms in Prometheus' text format."""
    return PlainTextResponse(service.metrics.render(), media_type=CONTENT_TYPE_LATEST)
