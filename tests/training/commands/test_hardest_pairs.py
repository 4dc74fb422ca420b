from pathlib import Path

from tests.support.training.commands import run


def test_the_page_shows_the_pairs_of_three_photos(three_photos: Path, build: Path) -> None:
    result = run("hardest-pairs", "lfw", "--photos", three_photos, "--build", build)
    assert result.exit_code == 0, result.output
    assert "the 2 most similar impostor pairs and the 1 least similar genuine pairs" in result.output
    assert (build / "hardest-pairs" / "lfw-three.html").read_text().count("<figure>") == 3


def test_photos_without_a_face_are_refused(faceless: Path, build: Path) -> None:
    result = run("hardest-pairs", "lfw", "--photos", faceless, "--build", build)
    assert result.exit_code == 1
    assert "No face" in result.output


def test_a_missing_bundle_and_a_missing_folder_are_reported(three_photos: Path) -> None:
    for arguments in (["none", "--photos", three_photos], ["lfw", "--photos", "no [folder]"]):
        result = run("hardest-pairs", *arguments)
        assert result.exit_code == 1
        assert "none" in result.output or "no [folder]" in result.output
