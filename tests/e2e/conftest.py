"""Fixtures that start services."""

from collections.abc import Iterator

import pytest

from tests.support.server import Launch, Server


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Starts services. All services of a test module share one gallery."""
    folder = tmp_path_factory.mktemp("service")
    servers: list[Server] = []

    def start(**settings: str) -> Server:
        servers.append(Server(folder, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def server(launch: Launch) -> Server:
    return launch()
