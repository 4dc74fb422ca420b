from pathlib import Path

import pytest

from tests.support.training.commands import run

NOBODY_LISTENS = "http://127.0.0.1:9"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two photos each of four people."""
    people = [f"p{number}" for number in range(4)]
    for person in people:
        folder = tmp_path / "data" / "lfw" / "lfw" / person
        folder.mkdir(parents=True)
        for number in (1, 2):
            (folder / f"{person}_{number:04d}.jpg").touch()
    lines = [str(len(people)), *(f"{person}\t2" for person in people)]
    (tmp_path / "data" / "lfw" / "peopleDevTest.txt").write_text("\n".join(lines))
    return tmp_path / "data"


def test_a_service_that_cannot_be_reached_is_reported(data: Path) -> None:
    result = run("identification", "--service", NOBODY_LISTENS, "--data", data, "--count", 2)
    assert result.exit_code == 1
    assert f"No facetwin service answers at {NOBODY_LISTENS}" in result.output


def test_too_few_people_are_refused(data: Path) -> None:
    result = run("identification", "--service", NOBODY_LISTENS, "--data", data)
    assert result.exit_code == 1
    assert "needs 100 people with two photos each; there are 4" in result.output


def test_comparing_needs_a_first_trial(data: Path, tmp_path: Path) -> None:
    arguments = ["identification", "--service", NOBODY_LISTENS, "--data", data, "--build", tmp_path, "--again"]
    result = run(*arguments)
    assert result.exit_code == 1
    assert "identification.json does not exist. Run the trial without --again first." in result.output
    for content in (b"", b"\xff", b"[]", b'{"answers": []}'):
        (tmp_path / "identification.json").write_bytes(content)
        result = run(*arguments)
        assert result.exit_code == 1
        assert "is not a saved trial" in result.output


@pytest.mark.parametrize("content", [b"many\np0\t2\n", b"\xff\xfe\n", b"9\np0\t2\n", b""])
def test_a_malformed_list_of_people_is_refused(data: Path, content: bytes) -> None:
    (data / "lfw" / "peopleDevTest.txt").write_bytes(content)
    result = run("identification", "--service", NOBODY_LISTENS, "--data", data)
    assert result.exit_code == 1
    assert "peopleDevTest.txt" in result.output
