import json
from pathlib import Path

import pytest

from tests.support.commands import run_command


@pytest.fixture(autouse=True)
def enrolled(service: str, ruby: Path, azure: Path) -> str:
    """Two people. Returns the id of ruby's template."""
    run_command("enroll", "azure", azure)
    answer = json.loads(run_command("enroll", "ruby [1]", ruby, "--json", "--metadata", '{"badge": 1}').stdout)
    return str(answer["template_id"])


def test_everybody_is_listed(ruby: Path) -> None:
    lines = run_command("people", "list").stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["name", "azure", "ruby [1]"]
    listed = [json.loads(line) for line in run_command("people", "list", "--json").stdout.splitlines()]
    assert [each["identity"] for each in listed] == ["azure", "ruby [1]"]
    assert listed[1]["templates"][0]["template_id"]


def test_long_names_are_not_cut(ruby: Path) -> None:
    name = "n" * 200
    run_command("enroll", name, ruby)
    assert name in run_command("people", "list", COLUMNS="80").stdout


def test_a_person_is_shown(enrolled: str) -> None:
    shown = run_command("people", "show", "ruby [1]").stdout
    assert '"badge": 1' in shown
    assert enrolled in shown
    assert json.loads(run_command("people", "show", "ruby [1]", "--json").stdout)["metadata"] == {"badge": 1}
    assert "(unknown_identity)" in run_command("people", "show", "nobody", exit_code=2).output


def test_people_are_renamed_merged_and_deleted(enrolled: str, ruby: Path, ruby2: Path) -> None:
    assert "ruby: 1 template " in run_command("people", "rename", "ruby [1]", "ruby").stdout
    run_command("enroll", "rubi", ruby2)
    assert "ruby: 2 templates" in run_command("people", "merge", "rubi", "ruby").stdout
    assert "1 template." in run_command("people", "delete-template", "ruby", enrolled).stdout
    assert "1 template; nothing is left of ruby" in run_command("people", "delete", "ruby").stdout
    assert json.loads(run_command("people", "delete", "azure", "--json").stdout)["identities"] == ["azure"]
    assert run_command("people", "list", "--json").stdout == ""


def test_the_old_names_of_the_commands_still_work() -> None:
    run_command("rename", "ruby [1]", "ruby")
    assert run_command("identities").stdout == "azure\nruby\n"
    run_command("merge", "azure", "ruby")
    run_command("delete", "ruby")
    assert run_command("identities").stdout == ""


def test_galleries_are_listed_and_deleted(ruby: Path) -> None:
    run_command("enroll", "ruby", ruby, "--gallery", "staff")
    lines = run_command("gallery", "list").stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [["default", "2", "2"], ["staff", "1", "1"]]
    assert json.loads(run_command("gallery", "list", "--json").stdout.splitlines()[1])["gallery"] == "staff"
    assert "--yes" in run_command("gallery", "delete", "staff", exit_code=2).output
    assert "nothing is left of ruby" in run_command("gallery", "delete", "staff", "--yes").stdout
    assert "(unknown_gallery)" in run_command("gallery", "delete", "staff", "--yes", exit_code=2).output


def test_the_serving_model_is_shown() -> None:
    shown = run_command("model", "show").stdout
    assert shown.startswith("fake 0\n")
    assert "detector fake-1" in shown
    assert "0.9000" in shown
    assert json.loads(run_command("model", "show", "--json").stdout)["calibration"]["default_fmr"] == 0.01
