"""`GET /`: the chat page, and the two files that it needs."""

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


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """A page to talk to the model; it loads nothing from elsewhere."""
    return FileResponse(FOLDER / "index.html", headers=_HEADERS)
