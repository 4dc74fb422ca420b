"""The application with a fake detector and a fake encoder, and helpers that call its routes."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.key_ring import KeyRing
from app.inference.liveness import LivenessJudge, LivenessLoader
from app.inference.workers import Workers
from app.main import Components, create_app, guard_gallery, open_store
from app.metrics import Metrics
from app.settings import Settings
from app.verification.service import FaceService, Hardware
from model.pipeline import PhotoReader
from model.runtime.forms import Choice, Form
from tests.support.fakes import CROP, TEMPLATE, FakeDetector, FakeEncoder, metadata
from tests.support.liveness import FakeJudge

Start = Callable[..., TestClient]
HARDWARE = Hardware(
    "cpu", "a processor", "AVX2", (Choice((1, 16, 16, 3), Form.FUSED, {Form.FROZEN: 2.0, Form.FUSED: 1.0}),), ()
)


def fake_app(
    settings: Settings,
    encoder: Any = None,
    detector: Any = None,
    encoder_id: str = "e" * 64,
    not_ready: tuple[str, ...] = (),
    load_judge: Callable[[], LivenessJudge] = FakeJudge,
    keys: KeyRing | None = None,
) -> FastAPI:
    """Returns the application with fake networks and the gallery of the settings."""

    @asynccontextmanager
    async def build_components(settings: Settings, metrics: Metrics) -> AsyncIterator[Components]:
        async with open_store(settings) as gallery:
            workers = Workers(
                encoder or FakeEncoder(),
                settings.threads_or_default,
                8,
                metrics.observe_batch,
            )
            reader = PhotoReader(detector or FakeDetector(), np.array(TEMPLATE), CROP, settings.image_limits)
            guarded = guard_gallery(gallery, settings)
            service = FaceService(
                reader,
                guarded,
                workers,
                metadata(encoder_id),
                time.perf_counter,
                HARDWARE,
                LivenessLoader(load_judge),
                settings.liveness,
            )
            try:
                yield Components(service, not_ready)
            finally:  # also when a test fails: their threads would keep the process
                workers.close()

    return create_app(settings, build_components, keys=keys)


def verify(client: TestClient, first: bytes, second: bytes, **fields: Any) -> Any:
    return client.post("/verify", files={"image1": first, "image2": second}, data=fields)


def verify_identity(client: TestClient, image: bytes, identity: str, **fields: Any) -> Any:
    return client.post("/verify", files={"image1": image}, data={"identity": identity, **fields})


def enroll(client: TestClient, identity: str, image: bytes, **fields: Any) -> Any:
    return client.post("/enroll", files={"image": image}, data={"identity": identity, **fields})


def identify(client: TestClient, image: bytes, **fields: Any) -> Any:
    return client.post("/identify", files={"image": image}, data=fields)
