import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from app.cli import supervisor as module
from app.cli.supervisor import Supervisor


@dataclass
class FakeProcess:
    """A process that the test kills."""

    pid: int
    alive: bool = True
    ready: bool = False
    answers: bool = True
    exitcode: int | None = None

    @property
    def process(self) -> "OperatingSystemProcess":
        return OperatingSystemProcess(self)

    def is_alive(self, timeout: float) -> bool:
        return self.alive and self.answers

    def is_ready(self, timeout: float) -> bool:
        return self.alive and self.ready and self.answers

    def start(self) -> None: ...

    def kill(self) -> None:
        if self.alive:
            self.alive, self.exitcode = False, -9

    def fail(self) -> None:
        self.alive, self.exitcode = False, 3

    def join(self) -> None: ...


@dataclass
class OperatingSystemProcess:
    fake: FakeProcess

    def is_alive(self) -> bool:
        return self.fake.alive


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """A supervisor of two fake processes, which are not ready yet."""
    made: list[FakeProcess] = []

    def make(*_: Any) -> FakeProcess:
        made.append(FakeProcess(pid=100 + len(made)))
        return made[-1]

    monkeypatch.setattr(module, "Process", make)
    monkeypatch.setattr("uvicorn.supervisors.multiprocess.Process", make)
    monkeypatch.setattr("uvicorn.supervisors.multiprocess.SIGNALS", {})
    with socket.socket() as unused:
        supervisor = Supervisor(uvicorn.Config("nothing:app", workers=2), [unused])
        supervisor.init_processes()
        yield supervisor


def processes(supervisor: Supervisor) -> list[FakeProcess]:
    found: Any = supervisor.processes
    return list(found)


def become_ready(supervisor: Supervisor) -> None:
    for each in processes(supervisor):
        each.ready = True
    supervisor.keep_subprocess_alive()


def test_a_process_that_fails_before_any_is_ready_ends_the_service(started: Supervisor) -> None:
    started.keep_subprocess_alive()
    assert not started.should_exit.is_set()
    processes(started)[1].fail()
    started.keep_subprocess_alive()
    assert started.failed
    assert started.should_exit.is_set()
    assert len({each.pid for each in processes(started)}) == 2  # and none was started again


def test_a_process_that_is_killed_before_it_was_asked_is_replaced_but_not_for_ever(started: Supervisor) -> None:
    for number in range(3):
        processes(started)[0].kill()
        started.keep_subprocess_alive()
        assert not started.failed
        assert processes(started)[0].pid == 102 + number
    processes(started)[0].kill()
    started.keep_subprocess_alive()
    assert started.failed


def test_a_process_that_takes_long_to_start_is_waited_for(started: Supervisor) -> None:
    for each in processes(started):
        each.answers = False
    started.keep_subprocess_alive()
    assert not started.failed
    assert [each.pid for each in processes(started)] == [100, 101]


def test_a_process_that_hangs_later_is_replaced(started: Supervisor) -> None:
    become_ready(started)
    processes(started)[1].answers = False
    started.keep_subprocess_alive()
    assert [each.pid for each in processes(started)] == [100, 102]


def test_a_process_that_dies_later_is_replaced_at_once(started: Supervisor) -> None:
    become_ready(started)
    processes(started)[0].kill()
    started.keep_subprocess_alive()
    assert not started.failed
    assert [each.pid for each in processes(started)] == [102, 101]
    assert all(each.alive for each in processes(started))


def test_a_replacement_that_cannot_start_is_tried_again_while_others_serve(
    started: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    become_ready(started)
    processes(started)[0].kill()
    started.keep_subprocess_alive()
    processes(started)[0].fail()  # its replacement, before it is ready
    started.keep_subprocess_alive()
    started.keep_subprocess_alive()
    assert not started.failed
    assert processes(started)[0].pid == 102  # not yet again: not without end
    monkeypatch.setattr("app.cli.supervisor.time.monotonic", lambda: float("inf"))
    started.keep_subprocess_alive()
    assert processes(started)[0].pid == 103
