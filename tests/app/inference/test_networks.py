import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from app.inference import networks
from app.inference.networks import Networks, load_networks
from model.encoder.bundle import Precision
from model.runtime.forms import Engine
from model.runtime.torchscript import BundleError


@dataclass
class FakeBundle:
    """A bundle whose self-check fails on some devices."""

    device: str
    failing: tuple[str, ...]
    checks: list[str]

    def self_check(self) -> float:
        self.checks.append(self.device)
        if self.device in self.failing:
            raise BundleError(f"the {self.device} does not reproduce the golden vectors")
        return 0.0


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices whose bundle was checked. A GPU seems to be there."""
    checked: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    fake_networks(monkeypatch, checked)
    return checked


def fake_networks(
    monkeypatch: pytest.MonkeyPatch,
    checks: list[str],
    encoder_fails: tuple[str, ...] = (),
    detector_fails: tuple[str, ...] = (),
    error: type[Exception] = BundleError,
) -> None:
    def open_detector(device: str, engine: Engine) -> Any:
        if device in detector_fails:
            raise error(f"the {device} does not reproduce the golden faces")
        return f"detector on {device}"

    monkeypatch.setattr(networks, "load_bundle", lambda path, device, *_: FakeBundle(device, encoder_fails, checks))
    monkeypatch.setattr(networks, "open_detector", open_detector)


def load(choice: str) -> Networks:
    return load_networks(choice, Path("deploy.pt"), Precision.FLOAT32, Engine.TORCHSCRIPT)


def describe(loaded: Networks) -> tuple[Any, Any, Any]:
    return loaded.device, loaded.bundle.device, loaded.detector


ON_CPU, ON_GPU = ("cpu", "cpu", "detector on cpu"), ("cuda", "cuda", "detector on cuda")


def test_auto_takes_a_gpu_that_passes_the_self_checks(checks: list[str], caplog: pytest.LogCaptureFixture) -> None:
    assert describe(load("auto")) == ON_GPU
    assert checks == ["cuda"]
    assert not caplog.records


@pytest.mark.parametrize(
    "faults",
    [
        {"encoder_fails": ("cuda",)},
        {"detector_fails": ("cuda",)},
        {"detector_fails": ("cuda",), "error": torch.OutOfMemoryError},
    ],
)
def test_auto_falls_back_to_the_cpu_and_says_why(
    checks: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, faults: dict[str, Any]
) -> None:
    fake_networks(monkeypatch, checks, **faults)
    with caplog.at_level(logging.WARNING, "facetwin"):
        assert describe(load("auto")) == ON_CPU
    (record,) = caplog.records
    assert record.getMessage() == "the GPU is not used"
    assert "the cuda does not reproduce the golden" in record.__dict__["reason"]


def test_cuda_never_falls_back(checks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fake_networks(monkeypatch, checks, detector_fails=("cuda",))
    with pytest.raises(BundleError, match="the cuda"):
        load("cuda")
    fake_networks(monkeypatch, checks, encoder_fails=("cuda",))
    assert describe(load("cuda")) == ON_GPU  # the service's own check then says that it is not ready


def test_a_problem_of_every_device_is_not_blamed_on_the_gpu(
    checks: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake_networks(monkeypatch, checks, detector_fails=("cuda", "cpu"))
    with pytest.raises(BundleError, match="the cpu"):
        load("auto")
    assert not caplog.records


def test_convolutions_on_a_gpu_keep_float32(checks: list[str]) -> None:
    load("cpu")
    assert torch.backends.cudnn.allow_tf32
    load("cuda")
    assert not torch.backends.cudnn.allow_tf32
