"""The liveness networks' protocol, which LivenessBundle implements, and their loading when they are first needed."""

import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.errors import LivenessUnavailable
from model.liveness.bundle import LivenessBundle, LivenessMetadata, load_liveness
from model.runtime.forms import Engine
from model.runtime.torchscript import BundleError


class LivenessJudge(Protocol):
    """Tells live faces from photos of photos. Several threads call it at once."""

    @property
    def metadata(self) -> LivenessMetadata:
        """How faces are cut out for it, and its threshold."""
        ...

    def judge(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Scores crops (B, N, S, S, 3), 0..1: (B,), high is live."""
        ...


class LivenessLoader:
    """Loads a judge when it is first needed, once. Threads may share it."""

    def __init__(self, load: Callable[[], LivenessJudge]) -> None:
        """`load` raises BundleError if there is no usable judge."""
        self._load, self._lock = load, threading.Lock()
        self._loaded: LivenessJudge | None = None

    def get(self) -> LivenessJudge:
        """The judge. Blocks while it is loaded. Raises LivenessUnavailable, and tries again at the next call."""
        with self._lock:
            if self._loaded is None:
                try:
                    self._loaded = self._load()
                except BundleError as error:
                    raise LivenessUnavailable(str(error)) from error
            return self._loaded


def open_judge(device: str, engine: Engine, detector: str) -> LivenessBundle:
    """Loads the shipped networks and checks them.

    `detector` is the name of the one that serves. Raises BundleError if the file is missing, damaged, was not measured,
    or is for another detector.
    """
    bundle = load_liveness(device=device, engine=engine)
    metadata = bundle.metadata
    if metadata.threshold is None:
        raise BundleError(f"{bundle.path} has no threshold. Run `python -m training liveness report`.")
    if metadata.detector != detector:
        raise BundleError(
            f"{bundle.path} is for the boxes of the detector {metadata.detector}, not of {detector}. Run `python -m "
            "training liveness export` and `report` again."
        )
    bundle.self_check()
    return bundle
