"""Processes that end under load: SIGTERM, and a worker that is killed. Acknowledged enrollments are counted after."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from benchmarks.trust.row import Options, Row, faults_of
from benchmarks.trust.service import POSTGRES, SQLITE, new_store
from tests.support.loaded_service import LoadedService

ENROLLMENTS: Final = 200  # acknowledged before the end


def attack(options: Options) -> Iterator[Row]:
    """Yields a row for each store and each end."""
    for store in (SQLITE, POSTGRES):
        yield _killed_worker(store, options)
        yield _sigterm(store, options)


def _killed_worker(store: str, options: Options) -> Row:
    row = Row(f"a worker of two killed under load, {store}")
    with faults_of(row), new_store(store, options) as url:
        service = LoadedService(url, Path(mkdtemp(dir=options.folder)), workers=2)
        try:
            service.wait_until_ready()
            service.start_clients()
            service.wait_for(ENROLLMENTS)
            service.kill_a_worker()
            service.stop_clients()
            _count(row, service, service.stored())
            row.require(not service.refused, "refusals")
            row.require(service.process.poll() is None, "the service has ended")
        finally:
            service.end()
    return row


def _sigterm(store: str, options: Options) -> Row:
    row = Row(f"SIGTERM under load, {store}")
    with faults_of(row), new_store(store, options) as url:
        folder = Path(mkdtemp(dir=options.folder))
        service = LoadedService(url, folder)
        successor = None
        try:
            service.wait_until_ready()
            service.start_clients()
            service.wait_for(ENROLLMENTS)
            service.terminate()
            service.stop_clients()
            successor = LoadedService(url, folder)
            successor.wait_until_ready()
            _count(row, service, successor.stored())
            row.require(set(service.refused) <= {503}, "refusals other than 503")
        finally:
            service.end()
            if successor is not None:
                successor.end()
    return row


def _count(row: Row, service: LoadedService, stored: dict[str, str]) -> None:
    row.inputs = len(service.acknowledged) + sum(service.refused.values()) + service.broken
    row.seen["201"] = len(service.acknowledged)
    row.seen["connection ended"] = service.broken
    row.seen.update({str(code): count for code, count in service.refused.items()})
    row.lost = len(service.acknowledged.items() - stored.items())
