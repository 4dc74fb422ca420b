"""`facetwin serve`."""

import logging
import math
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.cli.configuration import read_settings
from app.cli.output import fail

if TYPE_CHECKING:
    from app.main import Components
    from app.metrics import Metrics
    from app.settings import Settings

Application = Callable[..., Any]  # ASGI
HEALTHCHECK_S: Final = 60  # a process that answers its parent later than this is replaced; loading torch can take long


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default FACETWIN_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default FACETWIN_PORT.")] = None,
) -> None:
    """Run the service. All other settings are FACETWIN_* environment variables."""
    from app.cli.log_config import json_log_config
    from app.settings import unused_client_key

    overrides = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = read_settings(**overrides)
    if warning := unused_client_key(settings):
        typer.secho(warning, fg="yellow", err=True)
    typer.echo(f"facetwin: http://{settings.host}:{settings.port} (API: /docs), bundle {settings.bundle}", err=True)
    options = {**server_options(settings), "log_config": json_log_config(settings.log_level)}
    if settings.workers == 1:
        _serve_in_this_process(settings, options)
    else:
        _serve_in_processes(settings, overrides, options)


def server_options(settings: "Settings") -> dict[str, Any]:
    """Returns uvicorn's options for these settings."""
    from app.addresses import Proxies
    from app.api.target import MAX_HEADERS_BYTES
    from app.cli.connection import BoundedConnection, ConnectionLimits

    proxies = settings.trusted_proxies
    limits = ConnectionLimits(settings.max_connections, settings.max_connections_per_address, Proxies(proxies))
    return {
        "host": settings.host,
        "port": settings.port,
        "access_log": False,
        "timeout_graceful_shutdown": math.ceil(settings.upload_s + settings.deadline_s) + 1,
        # uvicorn's default believes any program on this machine.
        "proxy_headers": bool(proxies),
        "forwarded_allow_ips": list(proxies),
        # httptools takes an offer to upgrade to HTTP/2, which every Java client makes, for the end of the request: the
        # body is lost. h11 reads it, and has a limit on headers whose end has not arrived.
        "http": partial(BoundedConnection, limits=limits),
        "h11_max_incomplete_event_size": MAX_HEADERS_BYTES,
        "ws": "none",
    }


def worker_app() -> Application:
    """The application of one of several processes. Says why if it cannot start."""
    app, failures = _app_that_records_failures(read_settings())
    # uvicorn logs the traceback of a failed start; for these errors the message is enough.
    logging.getLogger("uvicorn.error").addFilter(lambda _: not failures)
    return app


def _serve_in_this_process(settings: "Settings", options: dict[str, Any]) -> None:
    import uvicorn

    app, failures = _app_that_records_failures(settings)
    server = uvicorn.Server(uvicorn.Config(app, **options))
    logging.getLogger("uvicorn.error").addFilter(lambda _: not failures)
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    except SystemExit:  # uvicorn's own status depends on its version
        if server.started:
            raise
    if failures or not server.started:
        fail("The service did not start.")


def _serve_in_processes(settings: "Settings", overrides: dict[str, Any], options: dict[str, Any]) -> None:
    import uvicorn

    from app.cli.supervisor import Supervisor
    from app.metrics import MULTIPROCESS_FOLDER
    from app.settings import PREFIX

    # The worker processes read the environment.
    os.environ |= {f"{PREFIX}{name.upper()}": str(value) for name, value in overrides.items()}
    with TemporaryDirectory(prefix="facetwin-metrics-") as folder:
        os.environ[MULTIPROCESS_FOLDER] = folder
        config = uvicorn.Config(
            "app.cli.serve:worker_app",
            factory=True,
            workers=settings.workers,
            timeout_worker_healthcheck=HEALTHCHECK_S,
            **options,
        )
        try:
            bound = config.bind_socket()
        except SystemExit:  # uvicorn said why; its own status depends on its version
            fail("The service did not start.")
        with bound as socket:
            supervisor = Supervisor(config, [socket])
            supervisor.run()
    if supervisor.failed:
        fail("The service did not start.")


def _app_that_records_failures(settings: "Settings") -> tuple[Application, list[Exception]]:
    """The application, and a list that gets the error if a setting turns out to be unusable. The error is printed."""
    from app.errors import FacetwinError
    from app.gallery.base import GalleryError
    from app.main import build_components, create_app
    from model.runtime.torchscript import BundleError

    failures: list[Exception] = []

    @asynccontextmanager
    async def record_failures(settings: "Settings", metrics: "Metrics") -> "AsyncIterator[Components]":
        started = False
        try:
            async with build_components(settings, metrics) as components:
                started = True
                yield components
        except (BundleError, FacetwinError, GalleryError, ValueError) as error:
            if not started:
                failures.append(error)
                typer.secho(str(error), fg="red", err=True)
            raise

    return create_app(settings, record_failures), failures
