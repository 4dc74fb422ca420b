import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from model.encoder.bundle import find_bundle, load_bundle, update_metadata
from tests.support.training.commands import run


def test_evaluating_a_folder_with_pairs_writes_a_report(album: Path, build: Path, tmp_path: Path) -> None:
    photos = sorted(path.relative_to(album).as_posix() for path in album.glob("*/*"))
    genuine = zip(photos[::2], photos[1::2], strict=True)
    impostor = zip(photos[::2], [*photos[3::2], photos[1]], strict=True)
    lines = [*(f"{a}\t{b}\t1" for a, b in genuine), *(f"{a}\t{b}\t0" for a, b in impostor)]
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("\n".join(lines), encoding="utf-8-sig")  # with a byte order mark
    before = find_bundle("lfw").read_bytes()
    result = run("evaluate", "--bundle", "lfw", "--photos", album, "--pairs", pairs, "--build", build)
    assert result.exit_code == 0, result.output
    target = build / "evaluations" / "lfw-album"
    report = json.loads((target / "report.json").read_text())
    assert report["listed_pairs"]["pairs"] == 60
    assert report["listed_pairs"]["accuracy_at_best_threshold_for_these_very_pairs"] > 0.7
    assert report["command"] == "python -m training evaluate --bundle lfw --photos album --pairs pairs.tsv"
    assert {path.name for path in target.iterdir()} == {
        "report.json",
        "roc.png",
        "det.png",
        "scores.png",
        "hardest-pairs.html",
    }
    assert find_bundle("lfw").read_bytes() == before


@pytest.fixture(scope="module")
def small_lfw(album: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in LFW's layout, whose test people are those of the album."""
    data = tmp_path_factory.mktemp("data")
    lists = data / "lfw"
    lists.mkdir()
    (lists / "lfw").symlink_to(album)
    people = sorted(folder.name for folder in album.iterdir())
    for name in ("peopleDevTrain.txt", "peopleDevTest.txt"):
        listed = people if name == "peopleDevTest.txt" else ["Nobody"]
        (lists / name).write_text("\n".join([str(len(listed)), *(f"{person}\t2" for person in listed)]))
    numbers = {folder.name: sorted(int(file.stem[-4:]) for file in folder.iterdir()) for folder in album.iterdir()}
    genuine = [f"{person}\t{numbers[person][0]}\t{numbers[person][1]}" for person in people]
    impostor = [
        f"{person}\t{numbers[person][0]}\t{other}\t{numbers[other][0]}"
        for person, other in zip(people, [*people[1:], people[0]], strict=True)
    ]
    (lists / "pairsDevTest.txt").write_text("\n".join([str(len(people)), *genuine, *impostor]))
    return data


def test_evaluating_on_lfw_writes_the_figures_into_the_bundle(small_lfw: Path, build: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.pt"
    shutil.copy(find_bundle("lfw"), own)
    result = run("evaluate", "--bundle", own, "--data", small_lfw, "--build", build)
    assert result.exit_code == 0, result.output
    report = load_bundle(own).metadata.evaluation
    assert report is not None
    assert report["view1"]["pairs"] == 60
    assert report["all_pairs"]["genuine_pairs"] == 30
    assert report["view2"] == json.loads(json.dumps(load_bundle(find_bundle("lfw")).metadata.evaluation))["view2"]
    assert {path.name for path in (build / "plots").glob("lfw-*")} >= {"lfw-roc.png", "lfw-scores.png"}


def test_comparing_with_a_service_that_cannot_be_reached_is_reported(small_lfw: Path, build: Path) -> None:
    result = run("evaluate", "--service", "http://127.0.0.1:9", "--data", small_lfw, "--build", build)
    assert result.exit_code == 1
    assert "No facetwin service answers at http://127.0.0.1:9" in result.output


def test_a_bundle_compared_with_itself_is_compared(small_lfw: Path, build: Path) -> None:
    result = run("compare", "lfw", "lfw", "--data", small_lfw, "--build", build)
    assert result.exit_code == 0, result.output
    assert "standard error" in result.output


def test_three_photos_give_a_report_without_plots(three_photos: Path, build: Path) -> None:
    result = run("evaluate", "--photos", three_photos, "--build", build)
    assert result.exit_code == 0, result.output
    assert "No plots" in result.output
    target = build / "evaluations" / "lfw-three"
    assert {path.name for path in target.iterdir()} == {"report.json", "hardest-pairs.html"}


def test_photos_without_a_face_are_refused(faceless: Path, build: Path) -> None:
    result = run("evaluate", "--photos", faceless, "--build", build)
    assert result.exit_code == 1
    assert "No face" in result.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a/1.jpg\tb/1.jpg\tyes\n", "is not a pair"),
        (b"\xff\xfea/1.jpg", "is not UTF-8"),
        (b"", "pairs.tsv"),
        (b"10\tmany\n", "pairs.tsv"),
    ],
)
def test_a_malformed_list_of_pairs_is_refused(content: bytes, message: str, three_photos: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_bytes(content)
    result = run("evaluate", "--photos", three_photos, "--pairs", tmp_path / "pairs.tsv")
    assert result.exit_code == 1
    assert message in result.output


def test_a_missing_list_of_pairs_is_reported(three_photos: Path) -> None:
    result = run("evaluate", "--photos", three_photos, "--pairs", "no [list].tsv")
    assert result.exit_code == 1
    assert "no [list].tsv" in result.output


def test_pairs_of_unknown_photos_are_refused(three_photos: Path, build: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("a/[1].jpg\tb/1.jpg\t1\n")
    result = run("evaluate", "--photos", three_photos, "--pairs", tmp_path / "pairs.tsv", "--build", build)
    assert result.exit_code == 1
    assert "not among the prepared photos, such as a/[1].jpg" in result.output


def test_pairs_need_photos() -> None:
    result = run("evaluate", "--pairs", "pairs.tsv")
    assert result.exit_code == 1
    assert "--pairs needs --photos" in result.output


def test_an_uncalibrated_bundle_is_refused(three_photos: Path, tmp_path: Path) -> None:
    update_metadata(replace(load_bundle(find_bundle("lfw")), path=tmp_path / "own.pt"), calibration=None)
    result = run("evaluate", "--bundle", tmp_path / "own.pt", "--photos", three_photos)
    assert result.exit_code == 1
    assert "lfw is not calibrated" in result.output


def test_evaluating_and_comparing_need_lfw() -> None:
    for arguments in (["evaluate"], ["compare", "lfw", "deploy"]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert "FACETWIN_DATA" in result.output
