import json
import shutil
from pathlib import Path

import httpx
import pytest

from app.bulk_enrollment import BatchError, Outcome, enroll_photos, opened_photos
from app.client import ApiError, Facetwin
from tests.app.api.conftest import Start, start  # noqa: F401 - a fixture
from tests.support.fakes import BLUE, GREEN, RED, REDDISH, picture

FILES = {
    "azure/1.png": picture(BLUE),
    "jade/1.png": picture(GREEN),
    "ruby/1.png": picture(RED),
    "ruby/2.png": picture(REDDISH),
}


@pytest.fixture
def service(start: Start) -> Facetwin:  # noqa: F811
    return Facetwin("http://testserver", transport=start()._transport)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return tmp_path / "photos"


def run(
    service: Facetwin, photos: Path, report: Path, at_once: int = 2, gallery: str = "default"
) -> dict[str, Outcome]:
    with opened_photos(photos) as found:
        return {each.photo: each for each in enroll_photos(service, found, report, gallery, 0.0, at_once)}


def enrolled(service: Facetwin) -> dict[str, int]:
    return {each["identity"]: len(each["templates"]) for each in service.identities()}


def test_everybody_of_a_folder_is_enrolled_and_reported(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    told = run(service, folder, tmp_path / "report.ndjson")
    assert {name: each.status for name, each in told.items()} == dict.fromkeys(FILES, "enrolled")
    assert enrolled(service) == {"azure": 1, "jade": 1, "ruby": 2}
    lines = [json.loads(line) for line in (tmp_path / "report.ndjson").read_text().splitlines()]
    assert {line["photo"] for line in lines} == set(FILES)
    assert all(line["template_id"] for line in lines)


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
def test_archives_are_read_like_folders(service: Facetwin, folder: Path, tmp_path: Path, kind: str) -> None:
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._1.png").write_bytes(b"x")
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), kind, tmp_path, "photos"))
    assert {each.status for each in run(service, archive, tmp_path / "report.ndjson").values()} == {"enrolled"}
    assert enrolled(service) == {"azure": 1, "jade": 1, "ruby": 2}


def test_duplicates_and_rejects_are_told_and_not_enrolled(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    (folder / "ruby" / "copy.png").write_bytes(FILES["ruby/1.png"])
    (folder / "zoe").mkdir()
    (folder / "zoe" / "1.png").write_bytes(FILES["azure/1.png"])
    (folder / "zoe" / "2.png").write_bytes(picture((0, 0, 0)))
    (folder / "zoe" / "3.txt").write_bytes(b"no photo")
    (folder / "loose.png").write_bytes(FILES["jade/1.png"])
    (folder / ".hidden").write_bytes(b"x")
    told = run(service, folder, tmp_path / "report.ndjson")
    assert told["ruby/copy.png"].status == told["zoe/1.png"].status == "duplicate"
    assert "ruby/1.png" in told["ruby/copy.png"].detail or "ruby/copy.png" in told["ruby/1.png"].detail
    assert "another name" in told["zoe/1.png"].detail
    assert "no_face_found" in told["zoe/2.png"].detail
    assert "unsupported_image" in told["zoe/3.txt"].detail
    assert "no folder" in told["loose.png"].detail
    assert told["jade/1.png"].status == "enrolled"
    assert set(enrolled(service)) == {"azure", "jade", "ruby"}
    assert {each.status for each in run(service, folder, tmp_path / "report.ndjson").values()} == {"done before"}


def test_a_run_that_was_cut_off_goes_on(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.ndjson"
    with opened_photos(folder) as found:
        started = enroll_photos(service, found, report, "default", 0.0, 1)
        next(started)
        next(started)
        started.close()
    # Killed while a line was being written: of that photo nothing is known, but the service knows it.
    report.write_text(report.read_text()[:-20])
    told = run(service, folder, report)
    assert [each.status for each in told.values()] == ["done before", "enrolled", "enrolled", "enrolled"]
    assert enrolled(service) == {"azure": 1, "jade": 1, "ruby": 2}
    assert len(report.read_text().splitlines()) == len(FILES)


def test_one_report_serves_several_galleries(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    for gallery in ("default", "staff"):
        told = run(service, folder, tmp_path / "report.ndjson", gallery=gallery)
        assert {each.status for each in told.values()} == {"enrolled"}
    assert len(list(service.identities("staff"))) == 3


def test_who_resembles_somebody_else_is_told(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    service.enroll("scarlet", picture(REDDISH))
    told = run(service, folder, tmp_path / "report.ndjson")
    assert any("collision" in warning and "scarlet" in warning for warning in told["ruby/1.png"].warnings)


def test_a_service_at_its_limit_is_asked_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("app.bulk_enrollment.time.sleep", waited.append)
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Idempotency-Key"])
        if len(asked) < 3:
            return httpx.Response(429, json={"code": "overloaded"}, headers={"Retry-After": "7"})
        return httpx.Response(201, json={"template_id": "t", "warnings": []})

    with Facetwin("http://x", transport=httpx.MockTransport(answer)) as service:
        run(service, folder, tmp_path / "report.ndjson", at_once=1)
    assert waited == [7.0, 7.0]
    assert len(set(asked[:3])) == 1
    assert len(set(asked)) == len(FILES)


@pytest.mark.parametrize("code", ["encoder_mismatch", "unauthorized"])
def test_what_would_refuse_every_photo_ends_the_run(folder: Path, tmp_path: Path, code: str) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(409, json={"code": code, "detail": "No."}))
    with Facetwin("http://x", transport=transport) as service, pytest.raises(ApiError, match=code):
        run(service, folder, tmp_path / "report.ndjson")
    assert (tmp_path / "report.ndjson").read_text() == ""


def test_what_is_no_folder_archive_or_report_is_named(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("hello\n")
    with pytest.raises(BatchError, match=r"notes\.txt is no folder"), opened_photos(file):
        pass
    with pytest.raises(BatchError, match=r"notes\.txt is no report"):
        run(service, folder, file)
    assert file.read_text() == "hello\n"
