"""The parent of several service processes: starts them, replaces one that dies, and gives up if they cannot start."""

import logging
import time
from socket import socket
from typing import Final

from uvicorn import Config
from uvicorn.supervisors.multiprocess import Multiprocess, Process

log = logging.getLogger("facetwin")

MAX_KILLED: Final = 3  # such processes; then the service is at fault, for example needs more memory than there is
ASK_S: Final = 1.0  # how long a process that starts has for its answer, each time it is asked
RETRY_S: Final = 5.0  # before a process that could not start is started again, while others serve


class Supervisor(Multiprocess):
    """Runs the processes of `config`. `failed` is true if the service never became ready.

    uvicorn's own supervisor restarts a process that dies at its start without end, or stops the others that serve.
    """

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self.failed = False
        self._ready: set[int | None] = set()  # process ids
        self._killed = 0  # processes that a signal ended before any was known to be ready
        self._start_at: dict[int, float] = {}  # when to replace a process, by its place

    def keep_subprocess_alive(self) -> None:
        for place, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if place in self._start_at:
                if time.monotonic() >= self._start_at[place]:
                    self._replace(place)
            elif process.pid in self._ready:
                if not process.is_alive(timeout=self.config.timeout_worker_healthcheck):
                    self._bury(place, process)
            elif not process.process.is_alive():
                self._bury(place, process)
            elif process.is_ready(timeout=ASK_S):  # one that starts need not answer: it may be loading torch
                self._ready.add(process.pid)

    def _bury(self, place: int, process: Process) -> None:
        process.kill()  # in case it hangs
        process.join()
        extra = {"pid": process.pid, "exit_code": process.exitcode}
        # One that a signal killed may have served already, although it has not been asked yet.
        killed = (process.exitcode or 0) < 0 and self._killed < MAX_KILLED
        if process.pid in self._ready or (killed and not self._ready):
            log.error("a process died and is replaced", extra=extra)
            self._killed += process.pid not in self._ready
            self._replace(place)
        elif self._ready:
            log.error("a process could not start and is tried again", extra=extra)
            self._start_at[place] = time.monotonic() + RETRY_S
        else:
            log.error("the service could not start", extra=extra)
            self.failed = True
            self.should_exit.set()

    def _replace(self, place: int) -> None:
        self._start_at.pop(place, None)
        self.processes[place] = Process(self.config, self.sockets)
        self.processes[place].start()
