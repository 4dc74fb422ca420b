"""The commands that README and the documents show are run as they stand there, against a running service."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Server
from training.data.photos import Photo

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "docs/index.md",
    "docs/thresholds.md",
    "docs/deployment.md",
    "docs/galleries.md",
    "docs/privacy.md",
    "docs/troubleshooting.md",
    "docs/coming-from.md",
)
# Commands that other tests cover, or that take hours, by how they begin. Every other command must succeed.
NOT_RUN = {
    "make serve": "tests/e2e starts services",
    "make test": "this is one of its tests",
    "make data": "downloads LFW",
    "docker compose": "tests/test_containers.py reads the file",
    ".venv/bin/python -m training": "tests/training runs these commands on few photos",
    "FACETWIN_BUNDLE=mine.pt make serve": "tests/e2e starts services",
    ".venv/bin/python scripts/from_compreface.py": "tests/scripts/test_from_compreface.py runs it",
}
PEOPLE = {"ada": "Aaron_Peirsol", "abba": "Abdullah_Gul"}


def read_commands(document: str, language: str) -> list[str]:
    """The blocks of code in this language, without the lines that are not run."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    kept = ["\n".join(line for line in block.splitlines() if not line.startswith(tuple(NOT_RUN))) for block in blocks]
    return [block for block in kept if block.strip()]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("documents"))
    yield server
    server.kill()


@pytest.fixture
def desk(tmp_path: Path, lfw: dict[str, Photo], service: Server) -> Path:
    """A folder with the files that the documents name, and a curl that fails if the service does."""
    for name, person in PEOPLE.items():
        for number in (1, 2):
            photo = lfw[f"{person}/{person}_000{number}.jpg"].read()
            for path in (f"{name}{number}.jpg", f"PHOTOS/{name}/{number}.jpg", f"db_path/{name}/{number}.jpg"):
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path).write_bytes(photo)
    for copy, original in {
        "unknown.jpg": "ada2.jpg", "login.jpg": "ada2.jpg", "not-ada.jpg": "abba1.jpg",
        "known_people/ada.jpg": "ada1.jpg", "photos/ada/1.jpg": "ada1.jpg",
    }.items():  # fmt: skip
        (tmp_path / copy).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / original, tmp_path / copy)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for program in ("python", "facetwin"):
        (programs / program).symlink_to(Path(sys.executable).parent / program)
    curl = tmp_path / "bin" / "curl"
    curl.parent.mkdir()
    curl.write_text(f'#!/bin/sh\nexec {shutil.which("curl")} --fail-with-body --silent --show-error "$@"\n')
    curl.chmod(curl.stat().st_mode | stat.S_IXUSR)
    service.http.delete("/galleries/default")
    return tmp_path


def run(command: list[str], text: str, desk: Path, service: Server) -> subprocess.CompletedProcess[str]:
    """Runs the text of a block as the input of `command`."""
    environment = {
        **os.environ,
        "PATH": f"{desk / 'bin'}:{desk / '.venv' / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "FACETWIN_URL": service.url,
        "FACETWIN_GALLERY_URL": f"sqlite:///{service.log.parent / 'gallery.db'}",
    }
    text = text.replace("http://127.0.0.1:8000", service.url)
    return subprocess.run(command, input=text, env=environment, cwd=desk, capture_output=True, text=True, timeout=120)


def prepare(document: str, desk: Path, service: Server) -> None:
    """Enrolls whom the document's commands take for granted."""
    if document == "docs/galleries.md":
        for name, person in (("ada", "ada"), ("countess", "ada")):
            photo = (desk / f"{person}{1 if name == 'ada' else 2}.jpg").read_bytes()
            assert service.post("/enroll", {"image": photo}, identity=name).status_code == 201
        shutil.copy(desk / "ada1.jpg", desk / "photo.jpg")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("document", [name for name in DOCUMENTS if read_commands(name, "sh")])
def test_every_shell_command_of_a_document_succeeds(document: str, desk: Path, service: Server) -> None:
    prepare(document, desk, service)
    for block in read_commands(document, "sh"):
        finished = run(["sh", "-e", "-u"], block, desk, service)
        assert finished.returncode == 0, f"{document}:\n{block}\n{finished.stdout}{finished.stderr}"


def test_the_python_code_of_the_readme_runs(desk: Path, service: Server) -> None:
    blocks = read_commands("README.md", "python")
    assert blocks
    for block in blocks:
        finished = run([sys.executable, "-"], block, desk, service)
        assert finished.returncode == 0, f"{block}\n{finished.stdout}{finished.stderr}"
