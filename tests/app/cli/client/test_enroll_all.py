import shutil
from pathlib import Path

import pytest

from tests.support.commands import run_command

NOWHERE = "http://127.0.0.1:9"


@pytest.mark.usefixtures("service")
def test_enroll_all_prints_a_summary_and_keeps_brackets_in_names(folder: Path, tmp_path: Path) -> None:
    (folder / "ruby" / "2 [red].png").write_bytes(b"no photo")
    report = tmp_path / "report [1].ndjson"
    output = run_command("enroll-all", folder, "--report", report).output
    assert f"3 enrolled, 1 rejected. Details: {report}" in output
    assert "ruby/2 [red].png: " in output
    assert "4 done before" in run_command("enroll-all", folder, "--report", report).output


def test_a_missing_or_unusable_folder_is_named(tmp_path: Path) -> None:
    report = tmp_path / "report.ndjson"
    missing = run_command("enroll-all", tmp_path / "nowhere [1]", "--report", report, exit_code=2)
    assert "nowhere [1]" in missing.output
    file = tmp_path / "notes [1].txt"
    file.write_text("hello\n")
    assert f"{file} is neither a folder" in run_command("enroll-all", file, "--report", report, exit_code=2).output


def test_a_damaged_archive_is_named(folder: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "archive [1]"), "gztar", folder))
    archive.write_bytes(archive.read_bytes()[:-100])
    report = tmp_path / "report.ndjson"
    assert str(archive) in run_command("enroll-all", archive, "--report", report, "--url", NOWHERE, exit_code=2).output


def test_a_report_that_is_not_utf_8_is_named(folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "report [1].ndjson"
    report.write_bytes(b"\xff\xfe\n")
    output = run_command("enroll-all", folder, "--report", report, exit_code=2).output
    assert f"{report} is not the report" in output
    missing = tmp_path / "nowhere" / "report.ndjson"
    assert f"{missing} cannot be written" in run_command("enroll-all", folder, "--report", missing, exit_code=2).output
