"""Everything is wired here, once."""

import asyncio
import io
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from PIL import Image

from app.api import routes_faces, routes_galleries, routes_meta
from app.api.docs import install_docs
from app.api.problems import Problem, install_problems
from app.api.requests import Departures, RequestLog
from app.gallery import open_gallery
from app.inference.encoder import resolve_device, share_cores
from app.inference.memory import keep_freed_memory
from app.inference.workers import Workers
from app.metrics import Metrics
from app.settings import Settings, cores, load_settings
from app.verification import FaceService, Hardware
from model.detector.orientation import open_detector
from model.encoder.bundle import IN_CACHE, Bundle, find_bundle, load_bundle
from model.errors import NoFaceFound
from model.pipeline import PhotoReader
from model.runtime.processor import instruction_set, processor_name
from model.runtime.torchscript import BundleError
from model.selection import FaceSelection

log = logging.getLogger("facetwin")

ON_GPU = 64  # faces encoded together there

DESCRIPTION = """Do two photos show the same person? Whom does a photo show?

Every answer names its threshold and the error rate measured at it. Every error is `application/problem+json` with a
`code` to switch on. Bodies are multipart with files, or JSON with base64."""


@dataclass(frozen=True)
class Parts:
    """What a running service is made of. `not_ready` holds the reasons why it must not answer."""

    service: FaceService
    not_ready: tuple[str, ...] = ()


Assembly = Callable[[Settings, Metrics], AbstractAsyncContextManager[Parts]]


@asynccontextmanager
async def assemble(settings: Settings, metrics: Metrics) -> AsyncIterator[Parts]:
    """The real parts. Raises BundleError, GalleryError, ValueError where a setting names something unusable."""
    keep_freed_memory()
    device = resolve_device(settings.device)
    share_cores(cores(), settings.threads_or_default * settings.workers)
    bundle = await asyncio.to_thread(
        load_bundle, find_bundle(settings.bundle), device, settings.precision, settings.engine
    )
    metadata = bundle.metadata
    reader = PhotoReader(
        await asyncio.to_thread(open_detector, settings.detector, device, settings.engine),
        metadata.template_array,
        metadata.crop_size,
        settings.image_limits,
    )
    workers = Workers(
        bundle,
        settings.threads_or_default,
        settings.max_waiting,
        settings.deadline_s,
        IN_CACHE if device == "cpu" else ON_GPU,
        metrics.batch,
        metrics.inside,
    )
    gallery = await open_gallery(settings.gallery_url)
    try:
        not_ready = await asyncio.to_thread(_unfit, bundle, reader)
        encoder = () if not_ready else bundle.serving.choices
        hardware = Hardware(device, processor_name(), instruction_set(), encoder, reader.detector.choices)
        service = FaceService(reader, gallery, workers, metadata, time.perf_counter, hardware)
        metrics.serves(metadata.name, metadata.version, metadata.encoder_id, reader.detector.name, device)
        metrics.forms("encoder", hardware.encoder)
        metrics.forms("detector", hardware.detector)
        if not not_ready:
            log.info(
                "ready",
                extra={"bundle": metadata.name, "encoder_id": metadata.encoder_id, "hardware": asdict(hardware)},
            )
        yield Parts(service, not_ready)
    finally:
        await asyncio.to_thread(workers.close)
        await gallery.close()


def _unfit(bundle: Bundle, reader: PhotoReader) -> tuple[str, ...]:
    """The reasons why it must not answer. Warms everything up, so that the first request is as fast as the others."""
    try:
        bundle.self_check()
    except BundleError as error:
        log.error("not ready", extra={"reason": str(error)})
        return (str(error),)
    size = bundle.metadata.crop_size
    for faces in (1, 2, IN_CACHE) * 2:  # what is new to TorchScript, it looks at twice
        bundle.encode(np.zeros((faces, size, size, 3), np.uint8))
    stream = io.BytesIO()
    Image.new("RGB", (size, size), "grey").save(stream, "JPEG")
    with suppress(NoFaceFound):
        reader.read(stream.getvalue(), FaceSelection.LARGEST)
    return ()


def create_app(settings: Settings | None = None, assembly: Assembly = assemble) -> FastAPI:
    """The service. Settings come from the environment unless given; tests bring an assembly of fakes."""
    settings = settings or load_settings()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with assembly(settings, metrics) as parts:
            app.state.service = parts.service
            app.state.not_ready = parts.not_ready
            yield

    app = FastAPI(
        title="facetwin",
        version=version("facetwin"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.not_ready = ("starting",)
    for routes in (routes_faces, routes_galleries, routes_meta):
        app.include_router(routes.router)
    install_problems(app)
    install_docs(app)
    app.add_middleware(Departures)
    app.add_middleware(RequestLog, metrics=metrics)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's own schema, with our Problem in the place of its 422."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
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
