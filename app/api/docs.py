"""The description of the API, and /docs with its assets from an installed package: it works without internet."""

from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from app.api.bodies import COMPONENTS, DEFINITIONS
from app.api.problems import Problem, problem_response
from app.api.scopes import document_needs
from app.api.version import VERSION

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
    """FastAPI's schema of the paths with their version, in a form from which generators make working clients.

    Problem stands in place of FastAPI's own validation errors, and every schema of a body has a name.
    """
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            license_info=app.license_info,
            tags=app.openapi_tags,
            routes=app.routes,
            servers=[{"url": prefix or "/"}],
        )
        document_needs(schema)
        schema["paths"] = {f"{VERSION}{path}": operations for path, operations in schema["paths"].items()}
        schemas = schema["components"]["schemas"]
        for path in schema["paths"].values():
            for operation in path.values():
                _replace_validation_error(operation["responses"])
                _name_bodies(operation.get("requestBody", {}), schemas)
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        problem = Problem.model_json_schema(ref_template=COMPONENTS + "{model}")
        schemas |= problem.pop("$defs", {})
        schemas["Problem"] = problem
        schema["components"]["schemas"] = dict(sorted(schemas.items()))
        app.openapi_schema = schema
    return app.openapi_schema


def _replace_validation_error(responses: dict[str, Any]) -> None:
    schema = responses.get("422", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if schema.get("$ref", "").endswith("HTTPValidationError"):
        del responses["422"]
    # A path or method that is no route's, and whatever is not listed.
    responses["default"] = problem_response("not_found", "method_not_allowed")


def _name_bodies(body: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Moves the schemas of a body to the components."""
    schemas |= body.pop(DEFINITIONS, {})
    for media in body.get("content", {}).values():
        name = media["schema"]["title"]
        schemas[name] = media["schema"]
        media["schema"] = {"$ref": f"{COMPONENTS}{name}"}
