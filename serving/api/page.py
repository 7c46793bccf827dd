"""`GET /`, the chat page, and `GET /docs`, the API's reference; they load nothing from elsewhere."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

FOLDER = Path(__file__).parent.parent / "page"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter()
files = StaticFiles(directory=FOLDER)
swagger = StaticFiles(packages=[("fastapi_offline", "static")])
"""Swagger UI's own files."""


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """A page to talk to the model."""
    return FileResponse(FOLDER / "index.html", headers=_HEADERS)


@router.get("/docs", include_in_schema=False)
async def reference() -> FileResponse:
    """Every route with its fields, and a form to try it."""
    return FileResponse(FOLDER / "reference.html", headers=_HEADERS)
