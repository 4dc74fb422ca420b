"""The description of the API, and /docs with its assets from an installed package: it works without internet."""

from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from app.api.problems import Problem

ASSETS = "/docs/assets"


def install_docs(app: FastAPI) -> None:
    """Serves Swagger UI at /docs. The app must have been made with docs_url=None."""
    folder = Path(fastapi_offline.__file__).parent / "static"

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title}: API",
            swagger_js_url=f"{root}{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{ASSETS}/favicon.png",
        )

    app.mount(ASSETS, StaticFiles(directory=folder), name="docs-assets")


def openapi_schema(app: FastAPI, prefix: str) -> dict[str, Any]:
    """FastAPI's schema, with Problem instead of FastAPI's own validation errors."""
    if app.openapi_schema is None:
        servers = [{"url": prefix}] if prefix else None
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, servers=servers
        )
        for path in schema["paths"].values():
            for operation in path.values():
                default = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
                if default.get("schema", {}).get("$ref", "").endswith("HTTPValidationError"):
                    del operation["responses"]["422"]
        schemas = schema["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Problem"] = Problem.model_json_schema()
        app.openapi_schema = schema
    return app.openapi_schema
