"""What Prometheus asks: requests, time by stage, batches, how many are inside, refusals, the bundle.

With several processes (FACETWIN_WORKERS) each writes its numbers to files that whichever is asked adds up.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from model.runtime.forms import Choice

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"  # the library's own setting, read as it is imported
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
FACES: Final = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """One service's instruments."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "facetwin_requests", "Requests answered.", ("route", "method", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "facetwin_request_seconds",
            "From the first byte to the last.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._stages = Histogram(
            "facetwin_stage_seconds",
            "Of each request, by stage: queue, decode, detect, align, encode, search.",
            ("stage",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._problems = Counter(
            "facetwin_problems",
            "Requests refused or failed, by the problem's code.",
            ("code",),
            registry=self._registry,
        )
        self._batch = Histogram(
            "facetwin_batch_faces", "Faces encoded together.", buckets=FACES, registry=self._registry
        )
        self._inside = Gauge(
            "facetwin_requests_inside",
            "Requests admitted and not answered yet, waiting or computed.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._forms = Gauge(
            "facetwin_network_seconds",
            "One call of a network, by the shape of its input and its form, as timed at the start.",
            ("network", "shape", "form", "serves"),
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self._bundle = Gauge(
            "facetwin_bundle_info",
            "1 for the bundle that is served.",
            ("name", "version", "encoder_id", "detector", "device"),
            registry=self._registry,
            multiprocess_mode="livemax",
        )

    def forms(self, network: str, choices: Sequence[Choice]) -> None:
        """How long each form of `network` took when it was timed at the start; the one that serves is marked."""
        for choice in choices:
            shape = "x".join(map(str, choice.shape))
            for form, taken in choice.milliseconds.items():
                serves = "yes" if form is choice.form else "no"
                self._forms.labels(network, shape, form.value, serves).set(taken / 1000)

    def request(
        self, route: str, method: str, status: int, seconds: float, problem: str | None, timings_ms: Mapping[str, float]
    ) -> None:
        """One request that is over. `route` is its pattern, which names nobody."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if problem:
            self._problems.labels(problem).inc()
        for stage, taken in timings_ms.items():
            self._stages.labels(stage).observe(taken / 1000)

    def batch(self, faces: int) -> None:
        self._batch.observe(faces)

    def inside(self, requests: int) -> None:
        self._inside.set(requests)

    def serves(self, name: str, version: str, encoder_id: str, detector: str, device: str) -> None:
        self._bundle.labels(name, version, encoder_id, detector, device).set(1)

    def page(self) -> bytes:
        """In Prometheus' text format, of all processes."""
        if FOLDER not in os.environ:
            return generate_latest(self._registry)
        forget_the_dead(Path(os.environ[FOLDER]))
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
        return generate_latest(everybody)


def forget_the_dead(folder: Path) -> None:
    """A process that was killed is inside no request any more; what it had counted stays counted."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rsplit("_", 1)[1])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
