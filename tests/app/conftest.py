"""Fixtures that start the service with fakes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.inference.liveness import LivenessJudge
from app.settings import Settings
from tests.support.liveness import FakeJudge
from tests.support.service import Start, fake_app


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a service with fakes and a gallery in a temporary folder. Other keywords are settings."""
    started: list[TestClient] = []

    def run(
        encoder: Any = None,
        detector: Any = None,
        encoder_id: str = "e" * 64,
        not_ready: tuple[str, ...] = (),
        load_judge: Callable[[], LivenessJudge] = FakeJudge,
        **settings: Any,
    ) -> TestClient:
        chosen = Settings(gallery_url=f"sqlite:///{tmp_path / 'gallery.db'}", **settings)
        app = fake_app(chosen, encoder, detector, encoder_id, not_ready, load_judge)
        client = TestClient(app, "http://127.0.0.1:8000", raise_server_exceptions=False)
        client.__enter__()
        started.append(client)
        return client

    yield run
    for client in started:
        client.__exit__(None, None, None)


@pytest.fixture
def client(start: Start) -> TestClient:
    """A service with the default fakes and settings."""
    return start()
