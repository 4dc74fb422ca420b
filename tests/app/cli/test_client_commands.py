import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.application import cli
from app.client import Facetwin
from tests.support.fakes import BLUE, RED, picture
from tests.support.service import Start

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def service(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service with fakes, to which all commands connect."""
    transport = start()._transport
    monkeypatch.setattr("app.client.Facetwin", lambda url, api_key: Facetwin("http://127.0.0.1", transport=transport))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos [1]"
    for name, colour in (("ruby", RED), ("azure", BLUE)):
        (folder / name).mkdir(parents=True)
        (folder / name / "1 [bold].png").write_bytes(picture(colour))
    return folder


def invoke(*arguments: str | Path, exit_code: int = 0) -> str:
    """Runs a command and returns everything that it prints."""
    done = CliRunner().invoke(cli, [str(each) for each in arguments], env={"COLUMNS": "1000"})
    assert done.exit_code == exit_code, done.output
    assert "Traceback" not in done.output
    return done.output


@pytest.mark.usefixtures("service")
def test_people_are_enrolled_found_and_deleted(photos: Path) -> None:
    ruby, azure = photos / "ruby" / "1 [bold].png", photos / "azure" / "1 [bold].png"
    assert '"verified": false' in invoke("verify", ruby, azure)
    assert '"identity": "rubi"' in invoke("enroll", "rubi", ruby)
    invoke("rename", "rubi", "ruby")
    assert '"identity": "ruby"' in invoke("identify", ruby)
    invoke("enroll", "ruby [2]", ruby)
    invoke("merge", "ruby [2]", "ruby")
    assert invoke("identities") == "ruby\n"
    assert '"ruby"' in invoke("delete", "ruby")
    assert invoke("identities") == ""


@pytest.mark.usefixtures("service")
def test_enroll_all_prints_a_summary_and_keeps_brackets_in_names(photos: Path, tmp_path: Path) -> None:
    (photos / "ruby" / "2 [red].png").write_bytes(picture((0, 0, 0)))
    report = tmp_path / "report [1].ndjson"
    output = invoke("enroll-all", photos, "--report", report)
    assert f"2 enrolled, 1 rejected. Details: {report}" in output
    assert "ruby/2 [red].png: " in output
    assert "3 done before" in invoke("enroll-all", photos, "--report", report)


def test_an_unreachable_service_is_named(photos: Path) -> None:
    photo = photos / "ruby" / "1 [bold].png"
    assert "No service answers" in invoke("verify", photo, photo, "--url", NOWHERE, exit_code=1)
    assert "No service answers at nonsense" in invoke("identities", "--url", "nonsense", exit_code=1)
    assert "is not a URL" in invoke("identities", "--url", "http://\x01", exit_code=1)


@pytest.mark.parametrize("command", [["identify"], ["enroll", "ada"], ["verify", __file__]])
def test_a_missing_photo_is_named(command: list[str]) -> None:
    assert "photo [1].jpg" in invoke(*command, "photo [1].jpg", "--url", NOWHERE, exit_code=2)


@pytest.mark.usefixtures("service")
def test_a_damaged_photo_is_refused_with_its_code(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    photo.write_bytes(picture(RED)[:60])
    assert "(corrupt_image)" in invoke("identify", photo, exit_code=1)


def test_a_missing_or_unusable_folder_is_named(tmp_path: Path) -> None:
    report = tmp_path / "report.ndjson"
    assert "nowhere [1]" in invoke("enroll-all", tmp_path / "nowhere [1]", "--report", report, exit_code=2)
    file = tmp_path / "notes [1].txt"
    file.write_text("hello\n")
    assert f"{file} is neither a folder" in invoke("enroll-all", file, "--report", report, exit_code=1)


def test_a_damaged_archive_is_named(photos: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "archive [1]"), "gztar", photos))
    archive.write_bytes(archive.read_bytes()[:-100])
    output = invoke("enroll-all", archive, "--report", tmp_path / "report.ndjson", "--url", NOWHERE, exit_code=1)
    assert str(archive) in output


def test_a_report_that_is_not_utf_8_is_named(photos: Path, tmp_path: Path) -> None:
    report = tmp_path / "report [1].ndjson"
    report.write_bytes(b"\xff\xfe\n")
    assert f"{report} is not the report" in invoke("enroll-all", photos, "--report", report, exit_code=1)
    missing = tmp_path / "nowhere" / "report.ndjson"
    assert f"{missing} cannot be written" in invoke("enroll-all", photos, "--report", missing, exit_code=1)
