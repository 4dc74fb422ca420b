"""The web page at /: plain files from the package, served with ETags. Decision 29."""

from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles

from app.api.paths import PAGE_FOLDER

WEB: Final = Path(__file__).parents[1] / "web"


def install_page(app: FastAPI) -> None:
    """Serves the page at / and its files below PAGE_FOLDER. All its links are relative, so a prefix changes nothing."""
    files = StaticFiles(directory=WEB)

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    app.mount(PAGE_FOLDER.rstrip("/"), files, name="page")
