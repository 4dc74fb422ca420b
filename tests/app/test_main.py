"""What start checks before the service says that it is ready."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.errors import NotReady
from app.inference.decoding.pool import DecoderPool
from app.main import _check_and_warm_up
from model.pipeline import PhotoReader
from tests.support.fakes import CROP, TEMPLATE, FakeDetector, FakeEncoder


def bundle() -> Any:
    """A bundle whose self-check succeeds."""
    metadata = SimpleNamespace(crop_size=CROP)
    return SimpleNamespace(metadata=metadata, self_check=lambda: None, encode=FakeEncoder().encode)


def test_a_service_whose_decoders_do_not_start_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    pool = DecoderPool(1, seconds=2, memory=2**28)
    reader = PhotoReader(FakeDetector(), np.array(TEMPLATE), CROP, decode=pool.decode)
    (reason,) = _check_and_warm_up(bundle(), reader)
    assert "cannot start a process" in reason
    with pytest.raises(NotReady):
        pool.decode(b"\x89PNG\r\n\x1a\n")
    pool.close()


def test_a_service_whose_decoders_start_is_ready() -> None:
    pool = DecoderPool(1, seconds=2, memory=2**28)
    reader = PhotoReader(FakeDetector(), np.array(TEMPLATE), CROP, decode=pool.decode)
    assert _check_and_warm_up(bundle(), reader) == ()
    pool.close()
