"""`POST /v1/feedback`: what the reader of an answer says about it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from llmops.governance.access.identity import Identity
from llmops.governance.access.roles import Action
from serving import errors
from serving.api.dependencies import ServiceDep, allowed
from serving.schemas import FeedbackReceipt, FeedbackRequest

router = APIRouter(prefix="/v1", tags=["answers"], responses=errors.DOCUMENTED)


@router.post("/feedback", status_code=202)
async def feedback(
    body: FeedbackRequest,
    request: Request,
    service: ServiceDep,
    caller: Annotated[Identity, Depends(allowed(Action.GIVE_FEEDBACK))],
) -> FeedbackReceipt:
    """Rate an answer or correct it; said again, the last word counts."""
    service.interactions.record_feedback(body, caller)
    request.state.log_fields.update({"gen_ai.response.id": body.id, "llmops.feedback.rating": body.rating or "none"})
    return FeedbackReceipt()
