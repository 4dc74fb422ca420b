"""End to end, with fake networks: what clients see when processes end under load. Nothing acknowledged is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.loaded_service import LoadedService


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'gallery.db'}"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[list[LoadedService]]:
    started: list[LoadedService] = []
    yield started
    for each in started:
        each.end()


def test_sigterm_under_load_answers_what_was_accepted_and_loses_nothing(
    url: str, tmp_path: Path, services: list[LoadedService]
) -> None:
    service = LoadedService(url, tmp_path)
    services.append(service)
    service.wait_until_ready()
    service.start_clients()
    service.wait_for(acknowledged=10)
    service.terminate()
    service.stop_clients()
    assert set(service.refused) <= {503}
    successor = LoadedService(url, tmp_path)
    services.append(successor)
    successor.wait_until_ready()
    assert service.acknowledged.items() <= successor.stored().items()


def test_a_killed_worker_is_replaced_and_nothing_acknowledged_is_lost(
    url: str, tmp_path: Path, services: list[LoadedService]
) -> None:
    service = LoadedService(url, tmp_path, workers=2)
    services.append(service)
    service.wait_until_ready()
    service.start_clients()
    service.wait_for(acknowledged=10)
    service.kill_a_worker()
    service.stop_clients()
    assert service.process.poll() is None
    assert not service.refused
    assert service.acknowledged.items() <= service.stored().items()
