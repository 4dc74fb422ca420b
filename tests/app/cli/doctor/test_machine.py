import resource
import shutil
import socket
from collections import namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch

from app.cli.doctor import machine
from app.settings import Settings
from tests.support.live import listen

GIB = 2**30
Usage = namedtuple("Usage", "total used free")


def settings(tmp_path: Path, **changes: Any) -> Settings:
    return Settings(**{"gallery_url": f"sqlite:///{tmp_path / 'data' / 'gallery.db'}", **changes})


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_a_missing_gpu_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (finding,) = machine.check_device(settings(tmp_path, device="cuda"))
    assert finding.state == "wrong"
    assert "FACETWIN_DEVICE=auto" in finding.mend
    assert next(machine.check_device(settings(tmp_path))).state == "ok"


def test_a_precision_that_the_processor_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.runtime.processor.has_bf16", lambda: False)
    found = list(machine.check_device(settings(tmp_path, device="cpu", precision="bf16")))
    assert found[0].state == "wrong"
    assert "float32" in found[0].mend


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({"proc/meminfo": "MemTotal: 9999 kB\nMemAvailable: 4194304 kB\n"}, 4 * GIB),
        (
            {
                "proc/meminfo": "MemAvailable: 4194304 kB\n",
                "proc/self/cgroup": "0::/box\n",
                "sys/fs/cgroup/box/memory.max": f"{2 * GIB}\n",
                "sys/fs/cgroup/box/memory.current": f"{GIB + 4096}\n",
                "sys/fs/cgroup/box/memory.stat": "anon 5\ninactive_file 4096\n",
                "sys/fs/cgroup/memory.max": "max\n",
            },
            GIB,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB}\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{2 * GIB}\n",
                "sys/fs/cgroup/memory/memory.stat": "",
            },
            0,
        ),
        ({}, None),
    ],
)
def test_the_free_memory_is_what_machine_and_container_leave(tmp_path: Path, files: dict[str, str], free: Any) -> None:
    assert machine.available_memory(write(tmp_path, files)) == free


def test_too_little_memory_is_named(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/meminfo": "MemAvailable: 1536000 kB\n"})
    assert [each.state for each in machine.check_memory(settings(tmp_path), root)] == ["ok"]
    (finding,) = machine.check_memory(settings(tmp_path, workers=2), root)
    assert finding.state == "warning"
    assert "FACETWIN_WORKERS" in finding.mend


@pytest.mark.parametrize(("free", "state"), [(2 * GIB, "ok"), (GIB // 2, "warning"), (1, "wrong")])
def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free))
    (finding,) = machine.check_disk(settings(tmp_path))
    assert finding.state == state
    assert not (tmp_path / "data").exists()  # nothing was created


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (finding,) = machine.check_disk(settings(tmp_path, gallery_url=f"sqlite:///{tmp_path / 'file' / 'gallery.db'}"))
    assert finding.state == "wrong"
    assert "FACETWIN_GALLERY_URL" in finding.mend


def test_too_few_open_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1024, 4096))
    (finding,) = machine.check_open_files(settings(tmp_path))
    assert "ulimit -n 1128" in finding.mend
    assert not list(machine.check_open_files(settings(tmp_path, max_connections=500)))


def test_a_free_port_and_a_foreign_address_are_told_apart(tmp_path: Path) -> None:
    assert next(machine.check_port(settings(tmp_path, port=0))).state == "ok"
    (finding,) = machine.check_port(settings(tmp_path, port=0, host="192.0.2.1", allow_anonymous=True))
    assert finding.state == "wrong"
    assert "FACETWIN_HOST" in finding.mend


class OtherProgram(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def other_program() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), OtherProgram) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_port_that_another_program_uses_is_named(tmp_path: Path, other_program: int) -> None:
    (finding,) = machine.check_port(settings(tmp_path, port=other_program))
    assert finding.state == "wrong"
    assert "Another program" in finding.message
    assert "FACETWIN_PORT" in finding.mend


def test_a_program_that_never_answers_is_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ASK_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (finding,) = machine.check_port(settings(tmp_path, port=silent.getsockname()[1]))
    assert "Another program" in finding.message


def test_a_running_service_is_recognized(tmp_path: Path) -> None:
    with listen(tmp_path) as url:
        (finding,) = machine.check_port(settings(tmp_path, port=int(url.rpartition(":")[2])))
    assert (finding.state, "ready" in finding.message) == ("ok", True)
