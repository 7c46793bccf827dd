"""Routes of ours under the names that a platform has for them and lets nobody choose: SageMaker's.

Vertex AI and Azure ML are told our own routes when a model is deployed there (docs/deployment.md).
"""

from fastapi import APIRouter, Response

from serving import errors
from serving.api.dependencies import LineupDep
from serving.api.generate import generate
from serving.schemas import GenerateResponse

router = APIRouter(tags=["platforms"], responses=errors.DOCUMENTED)


@router.get("/ping", response_class=Response)
async def ping(_: LineupDep) -> Response:
    """`/readyz` for SageMaker, which asks for an empty body: 200 once requests are answered, 503 before."""
    return Response()


router.add_api_route(
    "/invocations",
    generate,
    methods=["POST"],
    response_model=GenerateResponse,
    summary="`/generate` for SageMaker",
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
