"""Prometheus metrics: requests, time by stage, batch sizes, requests in flight, problems, the bundle.

With several processes (FACETWIN_WORKERS) each writes its values to files; the process that is scraped adds them up.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from model.runtime.forms import Choice

MULTIPROCESS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client reads it on import
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SECONDS_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
FACES_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The metrics of one application; each instance counts separately."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "facetwin_requests", "Finished requests.", ("route", "method", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "facetwin_request_seconds",
            "Time from receiving a request to the end of its response.",
            ("route",),
            buckets=SECONDS_BUCKETS,
            registry=self._registry,
        )
        self._stages = Histogram(
            "facetwin_stage_seconds",
            "Time of a request by stage: queue, decode, detect, align, encode, search.",
            ("stage",),
            buckets=SECONDS_BUCKETS,
            registry=self._registry,
        )
        self._problems = Counter(
            "facetwin_problems",
            "Requests refused or failed, by problem code.",
            ("code",),
            registry=self._registry,
        )
        self._batch_faces = Histogram(
            "facetwin_batch_faces", "Faces per batch of the encoder.", buckets=FACES_BUCKETS, registry=self._registry
        )
        self._in_flight = Gauge(
            "facetwin_requests_in_flight",
            "Requests admitted and not yet answered: queued or running.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._network_seconds = Gauge(
            "facetwin_network_seconds",
            "Time of one call of a network, measured at startup, by input shape and form.",
            ("network", "shape", "form", "serves"),
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self._bundle = Gauge(
            "facetwin_bundle_info",
            "1 for the bundle in use.",
            ("name", "version", "encoder_id", "detector", "device"),
            registry=self._registry,
            multiprocess_mode="livemax",
        )

    def set_network_seconds(self, network: str, choices: Sequence[Choice]) -> None:
        """Sets the startup timings of a network's forms. The form in use has the label serves=yes; of several processes
        each makes its own choice, so two forms may have it."""
        for choice in choices:
            shape = "x".join(map(str, choice.shape))
            for form, taken in choice.milliseconds.items():
                serves = "yes" if form is choice.form else "no"
                self._network_seconds.labels(network, shape, form.value, serves).set(taken / 1000)

    def observe_request(
        self, route: str, method: str, status: int, seconds: float, problem: str | None, timings_ms: Mapping[str, float]
    ) -> None:
        """Counts a finished request. `route` is the pattern, not the path, which may contain names."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if problem:
            self._problems.labels(problem).inc()
        for stage, taken in timings_ms.items():
            self._stages.labels(stage).observe(taken / 1000)

    def observe_batch(self, faces: int) -> None:
        self._batch_faces.observe(faces)

    def set_in_flight(self, requests: int) -> None:
        self._in_flight.set(requests)

    def set_bundle(self, name: str, version: str, encoder_id: str, detector: str, device: str) -> None:
        self._bundle.labels(name, version, encoder_id, detector, device).set(1)

    def render(self) -> bytes:
        """Returns the metrics of all processes in Prometheus' text format."""
        if MULTIPROCESS_FOLDER not in os.environ:
            return generate_latest(self._registry)
        remove_dead_processes(Path(os.environ[MULTIPROCESS_FOLDER]))
        all_processes = CollectorRegistry()
        MultiProcessCollector(all_processes)  # type: ignore[no-untyped-call]
        return generate_latest(all_processes)


def remove_dead_processes(folder: Path) -> None:
    """Removes the live gauges of killed processes, such as their requests in flight. Their counters stay."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rsplit("_", 1)[1])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
