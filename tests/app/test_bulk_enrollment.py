import json
import os
import shutil
import zipfile
from pathlib import Path

import httpx
import pytest

from app.bulk_enrollment import PATIENCE, Outcome, enroll_photos
from app.photo_files import BulkEnrollmentError, open_photos
from facetwin_client import ApiError, Facetwin
from tests.support.answers import ENROLLMENT, problem
from tests.support.fakes import BLUE, GREEN, RED, REDDISH, picture
from tests.support.service import Start

FILES = {
    "azure/1.png": picture(BLUE),
    "jade/1.png": picture(GREEN),
    "ruby/1.png": picture(RED),
    "ruby/2.png": picture(REDDISH),
}


@pytest.fixture
def service(start: Start) -> Facetwin:
    return Facetwin("http://127.0.0.1", transport=start()._transport)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return tmp_path / "photos"


def run(
    service: Facetwin,
    photos: Path,
    report: Path,
    concurrency: int = 2,
    gallery: str = "default",
    strip: int | None = None,
) -> dict[str, Outcome]:
    with open_photos(photos, strip) as found:
        return {each.photo: each for each in enroll_photos(service, found, report, gallery, 0.0, concurrency)}


def count_templates(service: Facetwin) -> dict[str, int]:
    return {each.identity: len(each.templates) for each in service.list_identities()}


def test_everybody_in_a_folder_is_enrolled_and_reported(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    outcomes = run(service, folder, tmp_path / "report.ndjson")
    assert {name: each.status for name, each in outcomes.items()} == dict.fromkeys(FILES, "enrolled")
    assert count_templates(service) == {"azure": 1, "jade": 1, "ruby": 2}
    lines = [json.loads(line) for line in (tmp_path / "report.ndjson").read_text().splitlines()]
    assert {line["photo"] for line in lines} == set(FILES)
    assert all(line["template_id"] for line in lines)


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
def test_archives_are_read_like_folders(service: Facetwin, folder: Path, tmp_path: Path, kind: str) -> None:
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._1.png").write_bytes(b"x")
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), kind, tmp_path, "photos"))
    outcomes = run(service, archive, tmp_path / "report.ndjson", strip=1)
    assert {each.status for each in outcomes.values()} == {"enrolled"}
    assert count_templates(service) == {"azure": 1, "jade": 1, "ruby": 2}


def test_duplicates_and_rejected_photos_are_reported_and_not_enrolled(
    service: Facetwin, folder: Path, tmp_path: Path
) -> None:
    (folder / "ruby" / "copy.png").write_bytes(FILES["ruby/1.png"])
    (folder / "zoe").mkdir()
    (folder / "zoe" / "1.png").write_bytes(FILES["azure/1.png"])
    (folder / "zoe" / "2.png").write_bytes(picture((0, 0, 0)))
    (folder / "zoe" / "3.txt").write_bytes(b"no photo")
    (folder / "loose.png").write_bytes(FILES["jade/1.png"])
    (folder / ".hidden").write_bytes(b"x")
    outcomes = run(service, folder, tmp_path / "report.ndjson")
    assert outcomes["ruby/copy.png"].status == outcomes["zoe/1.png"].status == "duplicate"
    assert "ruby/1.png" in outcomes["ruby/copy.png"].detail or "ruby/copy.png" in outcomes["ruby/1.png"].detail
    assert "another name" in outcomes["zoe/1.png"].detail
    assert "no_face_found" in outcomes["zoe/2.png"].detail
    assert "unsupported_image" in outcomes["zoe/3.txt"].detail
    assert "not in a folder" in outcomes["loose.png"].detail
    assert outcomes["jade/1.png"].status == "enrolled"
    assert set(count_templates(service)) == {"azure", "jade", "ruby"}
    assert {each.status for each in run(service, folder, tmp_path / "report.ndjson").values()} == {"done before"}


def test_an_interrupted_run_is_resumed(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.ndjson"
    with open_photos(folder) as found:
        started = enroll_photos(service, found, report, "default", 0.0, 1)
        next(started)
        next(started)
        started.close()
    # Killed while writing a line: the report lacks that photo, but the service has it.
    report.write_text(report.read_text()[:-20])
    outcomes = run(service, folder, report)
    assert [each.status for each in outcomes.values()] == ["done before", "enrolled", "enrolled", "enrolled"]
    assert count_templates(service) == {"azure": 1, "jade": 1, "ruby": 2}
    assert len(report.read_text().splitlines()) == len(FILES)


def test_one_report_can_be_used_for_several_galleries(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    for gallery in ("default", "staff"):
        outcomes = run(service, folder, tmp_path / "report.ndjson", gallery=gallery)
        assert {each.status for each in outcomes.values()} == {"enrolled"}
    assert len(list(service.list_identities("staff"))) == 3


def test_a_collision_with_another_identity_is_reported(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    service.enroll("scarlet", picture(REDDISH))
    outcomes = run(service, folder, tmp_path / "report.ndjson")
    assert any("collision" in warning and "scarlet" in warning for warning in outcomes["ruby/1.png"].warnings)


def test_an_overloaded_service_is_asked_again(folder: Path, tmp_path: Path) -> None:
    waited: list[float] = []
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Idempotency-Key"])
        if len(asked) < 3:
            return httpx.Response(429, json={"code": "overloaded"}, headers={"Retry-After": "7"})
        return httpx.Response(201, json=ENROLLMENT)

    transport = httpx.MockTransport(answer)
    with Facetwin("http://x", transport=transport, retries=PATIENCE, sleep=waited.append) as service:
        run(service, folder, tmp_path / "report.ndjson", concurrency=1)
    assert [int(wait) for wait in waited] in ([7, 7], [7, 8], [8, 7], [8, 8])
    assert len(set(asked[:3])) == 1
    assert len(set(asked)) == len(FILES)


@pytest.mark.parametrize("code", ["encoder_mismatch", "unauthorized"])
def test_a_problem_of_every_photo_ends_the_run(folder: Path, tmp_path: Path, code: str) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(409, json={"code": code, "detail": "No."}))
    with Facetwin("http://x", transport=transport) as service, pytest.raises(ApiError, match=code):
        run(service, folder, tmp_path / "report.ndjson")
    assert (tmp_path / "report.ndjson").read_text() == ""


def test_an_unusable_folder_archive_or_report_is_named(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("hello\n")
    with pytest.raises(BulkEnrollmentError, match=r"notes\.txt is neither a folder"), open_photos(file):
        pass
    with pytest.raises(BulkEnrollmentError, match=r"notes\.txt is not the report"):
        run(service, folder, file)
    assert file.read_text() == "hello\n"


@pytest.mark.parametrize("content", [b"no newline", b'{"name": "other"}', b"\xff\xfe\n", b"[1]\n", b'{"photo": 1}\n'])
def test_a_file_that_is_not_a_report_is_left_unchanged(
    service: Facetwin, folder: Path, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(content)
    with pytest.raises(BulkEnrollmentError, match=r"other\.json is not the report"):
        run(service, folder, file)
    assert file.read_bytes() == content


def test_a_report_cut_off_inside_a_character_is_repaired(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.ndjson"
    report.write_bytes('{"photo": "Ä'.encode()[:-1])
    assert {each.status for each in run(service, folder, report).values()} == {"enrolled"}
    assert len(report.read_text(encoding="utf-8").splitlines()) == len(FILES)


def test_a_report_that_cannot_be_written_is_named(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BulkEnrollmentError, match="cannot be written"):
        run(service, folder, tmp_path / "nowhere" / "report.ndjson")
    with pytest.raises(BulkEnrollmentError, match="cannot be read"):
        run(service, folder, tmp_path)


def test_a_damaged_photo_in_an_archive_is_reported_and_a_damaged_archive_is_named(
    service: Facetwin, folder: Path, tmp_path: Path
) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path, "photos"))
    with zipfile.ZipFile(archive) as opened:
        start = opened.getinfo("photos/azure/1.png").header_offset
    content = bytearray(archive.read_bytes())
    content[start : start + 60] = bytes(60)
    archive.write_bytes(content)
    outcomes = run(service, archive, tmp_path / "report.ndjson", strip=1)
    assert outcomes["photos/azure/1.png"].status == "failed"
    assert "cannot be read" in outcomes["photos/azure/1.png"].detail
    assert set(count_templates(service)) == {"jade", "ruby"}  # the others
    for kind in ("gztar", "xztar"):
        tar = Path(shutil.make_archive(str(tmp_path / "archive"), kind, tmp_path, "photos"))
        tar.write_bytes(tar.read_bytes()[:-200])
        with pytest.raises(BulkEnrollmentError, match=r"archive\.tar\.[gx]z"):
            run(service, tar, tmp_path / "report.ndjson", strip=1)


def test_the_person_is_the_first_folder(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    (folder / "ruby" / "2024" / "may").mkdir(parents=True)
    (folder / "ruby" / "1.png").rename(folder / "ruby" / "2024" / "may" / "1.png")
    run(service, folder, tmp_path / "report.ndjson")
    assert count_templates(service) == {"azure": 1, "jade": 1, "ruby": 2}


def test_a_single_outer_folder_is_asked_about(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    shutil.move(folder, outer / "photos")
    with pytest.raises(BulkEnrollmentError, match="--strip 1"):
        run(service, outer, tmp_path / "report.ndjson")
    run(service, outer, tmp_path / "report.ndjson", strip=0)
    assert set(count_templates(service)) == {"photos"}


def test_one_bad_name_or_photo_never_stops_a_run(service: Facetwin, folder: Path, tmp_path: Path) -> None:
    bad = [b"b\xe4d", b"a\nb", b"a\x01b", b"x" * 201]  # not UTF-8; a line break; a control character; too long
    for number, name in enumerate(bad):
        path = os.path.join(os.fsencode(folder), name)  # noqa: PTH118
        os.mkdir(path)  # noqa: PTH102
        with open(os.path.join(path, b"1.png"), "wb") as file:  # noqa: PTH118, PTH123
            file.write(picture((100, 100 + number, 200)))
    (folder / "jade" / os.fsdecode(b"\xfe.png")).write_bytes(b"no photo")
    report = tmp_path / "report.ndjson"
    outcomes = run(service, folder, report)
    rejected = [each.detail for each in outcomes.values() if each.status == "rejected"]
    assert len(rejected) == len(bad) + 1
    assert sum("the name of its folder" in each for each in rejected) == len(bad)
    assert count_templates(service) == {"azure": 1, "jade": 1, "ruby": 2}
    assert len(report.read_text(encoding="utf-8").splitlines()) == len(FILES) + len(rejected)
    assert {each.status for each in run(service, folder, report).values()} == {"done before"}


def test_names_in_archives_become_nfc(service: Facetwin, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("Zoe\u0308/1.png", picture(RED))
        archive.writestr("Zo\u00eb/2.png", picture(REDDISH))
    run(service, tmp_path / "photos.zip", tmp_path / "report.ndjson")
    assert count_templates(service) == {"Zo\u00eb": 2}


def test_a_photo_for_which_the_service_fails_is_tried_again_by_the_next_run(folder: Path, tmp_path: Path) -> None:
    asked: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(1)
        if len(asked) == 2:
            return httpx.Response(500, json={"code": "internal_error", "detail": "Quote the id."})
        return httpx.Response(201, json=ENROLLMENT)

    with Facetwin("http://x", transport=httpx.MockTransport(answer)) as service:
        first = run(service, folder, tmp_path / "report.ndjson", concurrency=1)
        second = run(service, folder, tmp_path / "report.ndjson", concurrency=1)
    assert [each.status for each in first.values()] == ["enrolled", "failed", "enrolled", "enrolled"]
    assert [each.status for each in second.values()] == ["done before", "enrolled", "done before", "done before"]


def test_a_service_that_fails_for_every_photo_ends_the_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.bulk_enrollment.MAX_FAILURES", 3)
    transport = httpx.MockTransport(
        lambda request: httpx.Response(500, json={"code": "internal_error", "detail": "No."})
    )
    with Facetwin("http://x", transport=transport) as service, pytest.raises(ApiError, match="internal_error"):
        run(service, folder, tmp_path / "report.ndjson", concurrency=1)
    assert (tmp_path / "report.ndjson").read_text().count("failed") == 3


@pytest.mark.parametrize(("status", "code"), [(503, "gallery_unavailable"), (504, "deadline_exceeded")])
def test_a_gallery_that_cannot_be_used_is_waited_for(folder: Path, tmp_path: Path, status: int, code: str) -> None:
    waited: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, json=ENROLLMENT) if waited else problem(status, code, Retry_After="5")

    transport = httpx.MockTransport(answer)
    with Facetwin("http://x", transport=transport, retries=PATIENCE, sleep=waited.append) as service:
        outcomes = run(service, folder, tmp_path / "report.ndjson", concurrency=1)
    assert {each.status for each in outcomes.values()} == {"enrolled"}
    assert len(waited) == 1
