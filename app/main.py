"""Builds the service from the settings and the FastAPI application around it."""

import asyncio
import io
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from limits import parse_many
from PIL import Image

from app.api import routes
from app.api.access import AccessMiddleware
from app.api.docs import install_docs, openapi_schema
from app.api.key_ring import KeyRing
from app.api.middleware import ClientDisconnectMiddleware, RequestLogMiddleware
from app.api.origins import OriginMiddleware
from app.api.page import install_page
from app.api.prefix import PrefixMiddleware
from app.api.problems import install_problem_handlers
from app.api.rate_limits import RateLimitMiddleware, RateLimits
from app.api.request_bounds import RequestBoundsMiddleware
from app.api.scopes import routes_without_needs
from app.api.security_headers import SecurityHeadersMiddleware
from app.api.target import TargetMiddleware
from app.api.version import VersionMiddleware
from app.body_limits import BodyLimits
from app.cores import count_cores
from app.errors import NoKeys, NotReady
from app.gallery import open_gallery
from app.gallery.base import Store
from app.gallery.guarded import GuardedGallery
from app.inference.admission import Admission
from app.inference.decoding.pool import DecoderPool
from app.inference.encoder import limit_torch_threads
from app.inference.liveness import LivenessLoader, open_judge
from app.inference.memory import keep_freed_memory, return_memory_regularly
from app.inference.networks import load_networks
from app.inference.workers import Workers
from app.metrics import Metrics
from app.settings import Settings, load_settings
from app.verification.liveness import LivenessMode
from app.verification.service import FaceService, Hardware
from model.encoder.bundle import MAX_CPU_BATCH, Bundle, find_bundle
from model.errors import NoFaceFound
from model.pipeline import PhotoReader
from model.runtime.processor import instruction_set, processor_name
from model.runtime.torchscript import BundleError
from model.selection import FaceSelection

log = logging.getLogger("facetwin")

MAX_GPU_BATCH = 64  # faces per batch

DESCRIPTION = """Do two photos show the same person? Which enrolled person does a photo show?

Every answer names its threshold and the error rate measured at it. Every error is `application/problem+json` with a
`code` to switch on. Bodies are multipart with files, or JSON with base64."""


TAGS = [
    {"name": "faces", "description": "Compare, enroll, identify, look at photos."},
    {"name": "identities", "description": "Enrolled people, their templates and rejections."},
    {"name": "galleries", "description": "Sets of people that are searched together."},
    {"name": "service", "description": "Health, model, metrics."},
]


@dataclass(frozen=True)
class Components:
    """The service, and the reasons why it must refuse requests, if any."""

    service: FaceService
    not_ready: tuple[str, ...] = ()


ComponentFactory = Callable[[Settings, Metrics], AbstractAsyncContextManager[Components]]


@asynccontextmanager
async def build_components(settings: Settings, metrics: Metrics) -> AsyncIterator[Components]:
    """Builds the components that the settings name, and closes them on exit.

    Raises BundleError, LivenessUnavailable, GalleryError or ValueError if a setting names something unusable, NoKeys
    without any key.
    """
    keep_freed_memory()
    limit_torch_threads(count_cores(), settings.threads_or_default * settings.workers)
    async with AsyncExitStack() as stack:
        # The gallery comes first: if it cannot be opened, the start ends before the networks are loaded and timed.
        gallery = await stack.enter_async_context(open_store(settings))
        networks = await asyncio.to_thread(
            load_networks, settings.device, find_bundle(settings.bundle), settings.precision, settings.engine
        )
        device, bundle, metadata = networks.device, networks.bundle, networks.bundle.metadata
        decoders = DecoderPool(settings.threads_or_default, settings.max_decode_s, settings.max_decode_bytes)
        stack.callback(decoders.close)
        template, limits = metadata.template_array, settings.image_limits
        reader = PhotoReader(
            networks.detector,
            template,
            metadata.crop_size,
            limits,
            decode=decoders.decode,
            alignment=metadata.alignment,
        )
        max_batch = MAX_CPU_BATCH if device == "cpu" else MAX_GPU_BATCH
        workers = Workers(bundle, settings.threads_or_default, max_batch, metrics.observe_batch)
        stack.push_async_callback(asyncio.to_thread, workers.close)
        not_ready = await asyncio.to_thread(_check_and_warm_up, bundle, reader)
        encoder = () if not_ready else bundle.serving.choices
        hardware = Hardware(device, processor_name(), instruction_set(), encoder, reader.detector.choices)
        guarded = guard_gallery(gallery, settings)
        detector = reader.detector.name
        liveness = LivenessLoader(lambda: open_judge(device, settings.engine, detector))
        if settings.liveness is not LivenessMode.OFF:
            await asyncio.to_thread(liveness.get)  # a service that must judge does not start without its networks
        service = FaceService(
            reader, guarded, workers, metadata, time.perf_counter, hardware, liveness, settings.liveness
        )
        metrics.set_bundle(metadata.name, metadata.version, metadata.encoder_id, reader.detector.name, device)
        metrics.set_network_seconds("encoder", hardware.encoder)
        metrics.set_network_seconds("detector", hardware.detector)
        if not not_ready:
            started = {"bundle": metadata.name, "encoder_id": metadata.encoder_id, "hardware": asdict(hardware)}
            log.info("ready", extra={**started, "audit": "on" if guarded.is_audited else "off"})
        trimming = asyncio.create_task(return_memory_regularly())
        stack.callback(trimming.cancel)
        yield Components(service, not_ready)


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Opens the gallery, with its keys and its audit log.

    Raises GalleryError, and NoKeys if the service would listen to other machines and no key could ever be right.
    """
    gallery = await open_gallery(
        settings.gallery_url,
        settings.gallery_limits,
        settings.audit_secret,
        allow_unaudited=settings.allow_unaudited,
    )
    try:
        if settings.needs_stored_key:
            states = {key.state(datetime.now(UTC)) for key in await gallery.keys.list_all()}
            if "active" not in states:
                raise NoKeys(settings.host)
        yield gallery
    finally:
        await gallery.close()


def guard_gallery(gallery: Store, settings: Settings) -> GuardedGallery:
    """Returns the gallery with the time limits of the settings. Half of the requests in flight may wait for it."""
    max_calls = max((settings.threads_or_default + settings.max_waiting) // 2, 1)
    return GuardedGallery(gallery, max_calls, settings.gallery_limits.wait_s, settings.deadline_s)


def _check_and_warm_up(bundle: Bundle, reader: PhotoReader) -> tuple[str, ...]:
    """Runs the self-check, which times the encoder's forms, then reads photos, so that the first request is as fast as
    the others.

    Returns the reasons why the service must refuse requests.
    """
    try:
        bundle.self_check()
    except BundleError as error:
        log.error("not ready", extra={"reason": str(error)})
        return (str(error),)
    size = bundle.metadata.crop_size
    for kind in ("JPEG", "PNG"):  # decoded in this process, and in one of its own
        stream = io.BytesIO()
        Image.new("RGB", (size, size), "grey").save(stream, kind)
        try:
            reader.read(stream.getvalue(), FaceSelection.LARGEST)
        except NoFaceFound:
            pass
        except NotReady as error:
            log.error("not ready", extra={"reason": str(error)})
            return (str(error),)
    return ()


def create_app(
    settings: Settings | None = None, components: ComponentFactory = build_components, *, keys: KeyRing | None = None
) -> FastAPI:
    """Returns the application. Reads the settings from the environment unless given; tests pass fake components.

    `keys` says who calls; by default the keys of the settings and of the gallery do.
    """
    settings = settings or load_settings()
    metrics = Metrics()
    fixed = [key.get_secret_value() for key in settings.api_keys]
    keys = keys or KeyRing(fixed, required=settings.needs_stored_key)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with components(settings, metrics) as built:
            list_keys = built.service.gallery.list_keys
            await keys.read(list_keys)
            following = asyncio.create_task(keys.follow(list_keys))
            app.state.service = built.service
            app.state.not_ready = built.not_ready
            yield
            following.cancel()

    app = FastAPI(
        title="facetwin",
        version=version("facetwin"),
        description=DESCRIPTION,
        openapi_url="/openapi.json" if settings.docs else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would be built from the Host that the client sent
        lifespan=lifespan,
        summary="Do two photos show the same person, and which error rate was measured at the threshold?",
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_tags=TAGS,
        generate_unique_id_function=lambda route: route.name,  # the operationId, from which clients name their methods
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.not_ready = ("starting",)
    for router in (*routes.ROUTERS, *((routes.meta.metrics_router,) if settings.metrics else ())):
        app.include_router(router)
    install_problem_handlers(app)
    if settings.page:
        install_page(app)
    if settings.docs:
        install_docs(app)
    if missing := routes_without_needs(app):
        raise ValueError(f"app/api/scopes.py does not say what these routes need: {', '.join(missing)}")
    capacity = settings.threads_or_default + settings.max_waiting
    admission = Admission(capacity, settings.deadline_s, metrics.set_in_flight)
    limits = BodyLimits(routes.PHOTOS, settings.max_image_bytes, settings.max_held_bytes)
    # The last one added sees a request first.
    app.add_middleware(RequestBoundsMiddleware, admission=admission, limits=limits, upload_s=settings.upload_s)
    app.add_middleware(ClientDisconnectMiddleware)
    app.add_middleware(TargetMiddleware)
    if settings.rate_limits:
        app.add_middleware(RateLimitMiddleware, limits=RateLimits(parse_many(settings.rate_limits)))
    app.add_middleware(AccessMiddleware, keys=keys)
    app.add_middleware(
        OriginMiddleware,
        hosts=settings.known_hosts,
        origins=settings.allowed_origins,
        needs_key=lambda: keys.needs_key,
    )
    app.add_middleware(RequestLogMiddleware, metrics=metrics)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id"],
            expose_headers=["Retry-After", "Server-Timing", "X-Request-Id"],
        )
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(VersionMiddleware)
    if settings.root_path:
        app.add_middleware(PrefixMiddleware, prefix=settings.root_path)
    app.openapi = lambda: openapi_schema(app, settings.root_path)  # type: ignore[method-assign]
    return app
