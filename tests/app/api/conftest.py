"""The real application over fakes of the detector and the encoder, and a real gallery in a temporary folder."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.gallery import open_gallery
from app.inference.workers import Workers
from app.main import Parts, create_app
from app.metrics import Metrics
from app.settings import Settings
from app.verification import FaceService, Hardware
from model.pipeline import PhotoReader
from model.runtime.forms import Choice, Form
from tests.support.fakes import CROP, TEMPLATE, FakeDetector, FakeEncoder, metadata

Start = Callable[..., TestClient]
HARDWARE = Hardware(
    "cpu", "a processor", "AVX2", (Choice((1, 16, 16, 3), Form.FUSED, {Form.FROZEN: 2.0, Form.FUSED: 1.0}),), ()
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the service with settings and parts of the test's choice."""
    started: list[TestClient] = []

    def run(
        encoder: Any = None,
        detector: Any = None,
        encoder_id: str = "e" * 64,
        not_ready: tuple[str, ...] = (),
        **given: Any,
    ) -> TestClient:
        settings = Settings(gallery_url=f"sqlite:///{tmp_path / 'gallery.db'}", **given)

        @asynccontextmanager
        async def assemble(chosen: Settings, metrics: Metrics) -> AsyncIterator[Parts]:
            gallery = await open_gallery(chosen.gallery_url)
            workers = Workers(
                encoder or FakeEncoder(),
                chosen.threads_or_default,
                chosen.max_waiting,
                chosen.deadline_s,
                8,
                metrics.batch,
                metrics.inside,
            )
            reader = PhotoReader(detector or FakeDetector(), np.array(TEMPLATE), CROP, chosen.image_limits)
            bundle = metadata(encoder_id)
            service = FaceService(reader, gallery, workers, bundle, time.perf_counter, HARDWARE)
            yield Parts(service, not_ready)
            workers.close()
            await gallery.close()

        client = TestClient(create_app(settings, assemble), raise_server_exceptions=False)
        client.__enter__()
        started.append(client)
        return client

    yield run
    for client in started:
        client.__exit__(None, None, None)


@pytest.fixture
def client(start: Start) -> TestClient:
    return start()
