"""`facetwin serve`."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.configuration import read_settings
from app.cli.output import fail, fail_on

if TYPE_CHECKING:
    from app.main import Components
    from app.metrics import Metrics
    from app.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default FACETWIN_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default FACETWIN_PORT.")] = None,
) -> None:
    """Run the service. All other settings are FACETWIN_* environment variables."""
    from app.cli.log_config import json_log_config

    overrides = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = read_settings(**overrides)
    typer.echo(f"facetwin: http://{settings.host}:{settings.port} (API: /docs), bundle {settings.bundle}", err=True)
    options = {**server_options(settings), "log_config": json_log_config(settings.log_level)}
    if settings.workers == 1:
        _serve_in_this_process(settings, options)
    else:
        _serve_in_processes(settings, overrides, options)


def server_options(settings: "Settings") -> dict[str, Any]:
    """Returns uvicorn's options for these settings."""
    from app.api.target import MAX_HEADERS_BYTES
    from app.cli.connection import BoundedConnection

    return {
        "host": settings.host,
        "port": settings.port,
        "access_log": False,
        "timeout_graceful_shutdown": int(settings.deadline_s) + 1,
        # httptools takes an offer to upgrade to HTTP/2, which every Java client makes, for the end of the request: the
        # body is lost. h11 reads it, and has a limit on headers whose end has not arrived.
        "http": partial(BoundedConnection, max_connections=settings.max_connections),
        "h11_max_incomplete_event_size": MAX_HEADERS_BYTES,
        "ws": "none",
    }


def _serve_in_this_process(settings: "Settings", options: dict[str, Any]) -> None:
    import uvicorn

    from app.main import build_components, create_app

    failures: list[Exception] = []

    @asynccontextmanager
    async def record_failures(settings: "Settings", metrics: "Metrics") -> "AsyncIterator[Components]":
        try:
            async with build_components(settings, metrics) as components:
                yield components
        except _start_errors() as error:
            failures.append(error)
            raise

    server = uvicorn.Server(uvicorn.Config(create_app(settings, record_failures), **options))
    # uvicorn logs the traceback of a failed start; for these errors the message below is enough.
    logging.getLogger("uvicorn.error").addFilter(lambda _: not failures)
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    except SystemExit:
        if not failures:
            raise
    if failures:
        fail(str(failures[0]))
    if not server.started:
        sys.exit(3)


def _serve_in_processes(settings: "Settings", overrides: dict[str, Any], options: dict[str, Any]) -> None:
    import uvicorn

    from app.metrics import MULTIPROCESS_FOLDER
    from app.settings import PREFIX

    # uvicorn restarts a process that fails to start, without end. So start once here and stop on an error.
    with fail_on(*_start_errors()):
        asyncio.run(_start_and_stop(settings))
    # The worker processes read the environment.
    os.environ |= {f"{PREFIX}{name.upper()}": str(value) for name, value in overrides.items()}
    with TemporaryDirectory(prefix="facetwin-metrics-") as folder:
        os.environ[MULTIPROCESS_FOLDER] = folder
        uvicorn.run("app.main:create_app", factory=True, workers=settings.workers, **options)


async def _start_and_stop(settings: "Settings") -> None:
    from app.main import build_components
    from app.metrics import Metrics

    async with build_components(settings, Metrics()):
        pass


def _start_errors() -> tuple[type[Exception], ...]:
    """The errors by which `build_components` reports an unusable setting."""
    from app.errors import FacetwinError
    from app.gallery.base import GalleryError
    from model.runtime.torchscript import BundleError

    return BundleError, FacetwinError, GalleryError, ValueError
