"""A service with fake networks in processes of its own, to be killed.

Usage: `python -m tests.support.fake_service PORT WORKERS`, with FACETWIN_* in the environment.
"""

import sys

import uvicorn
from fastapi import FastAPI

from app.cli.log_config import json_log_config
from app.cli.supervisor import Supervisor


def make_app() -> FastAPI:
    # Imported here, because it takes long: the parent of several processes needs none of it.
    from app.settings import load_settings
    from tests.support.service import fake_app

    return fake_app(load_settings())


def main(port: int, workers: int) -> None:
    config = uvicorn.Config(
        "tests.support.fake_service:make_app",
        factory=True,
        host="127.0.0.1",
        port=port,
        workers=workers,
        log_config=json_log_config("info"),
        access_log=False,
        timeout_graceful_shutdown=30,
        timeout_worker_healthcheck=60,
    )
    if workers == 1:
        uvicorn.Server(config).run()
        return
    with config.bind_socket() as socket:
        supervisor = Supervisor(config, [socket])
        supervisor.run()
    sys.exit(int(supervisor.failed))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
