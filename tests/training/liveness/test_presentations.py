from pathlib import Path

import pytest
from PIL import Image

from training.data.errors import DataError
from training.data.photos import find_photos
from training.liveness.presentations import (
    NUAA_STEP,
    Kind,
    load_celeba,
    load_cut_outs,
    load_lfw,
    load_msu_mfsd,
    load_nuaa,
)


def write(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)


def test_nuaa_has_live_people_and_prints_and_every_sixth_photo_of_each(tmp_path: Path) -> None:
    for part, person, count in (
        ("ClientRaw", "0001", NUAA_STEP + 1),
        ("ImposterRaw", "0001", 1),
        ("ImposterRaw", "0016", 1),
    ):
        write(*(tmp_path / part / person / f"{person}_00_00_01_{i}.jpg" for i in range(count)))
    found = load_nuaa(tmp_path).presentations
    assert [(each.kind, each.person) for each in found] == [
        (Kind.BONA_FIDE, "0001"),
        (Kind.BONA_FIDE, "0001"),
        (Kind.PRINT, "0001"),
        (Kind.PRINT, "0016"),
    ]


def test_the_names_of_msu_mfsd_say_what_is_presented_and_by_whom(tmp_path: Path) -> None:
    pics = tmp_path / "pics"
    write(
        pics / "real" / "real_client001_android_SD_scene01.jpg",
        pics / "attack" / "attack_client002_android_SD_ipad_video_scene01.jpg",
        pics / "attack" / "attack_client002_android_SD_iphone_video_scene01.jpg",
        pics / "attack" / "attack_client003_android_SD_printed_photo_scene01.jpg",
    )
    assert [(each.kind, each.person) for each in load_msu_mfsd(tmp_path).presentations] == [
        (Kind.BONA_FIDE, "001"),
        (Kind.REPLAY_TABLET, "002"),
        (Kind.REPLAY_PHONE, "002"),
        (Kind.PRINT, "003"),
    ]


def test_another_photo_among_those_of_msu_mfsd_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "pics" / "real" / "holiday.jpg", tmp_path / "pics" / "attack" / "holiday.jpg")
    with pytest.raises(DataError, match=r"holiday\.jpg is not a frame of MSU-MFSD"):
        load_msu_mfsd(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no photos"):
        load_msu_mfsd(tmp_path)


def test_cut_outs_are_named_by_the_person_who_is_printed(tmp_path: Path) -> None:
    write(tmp_path / "ada" / "held.jpg", tmp_path / "ada" / "worn.jpg")
    assert [(each.kind, each.person) for each in load_cut_outs(tmp_path).presentations] == [(Kind.CUT_OUT, "ada")] * 2


def test_lfw_gives_the_first_photo_of_each_person_in_the_list(tmp_path: Path) -> None:
    write(*(tmp_path / "ada" / f"ada_000{i}.jpg" for i in (1, 2)), tmp_path / "bob" / "bob_0001.jpg")
    photos = find_photos(tmp_path)
    assert [each.photo.name for each in load_lfw(photos, ["ada"]).presentations] == ["ada/ada_0001.jpg"]
    with pytest.raises(DataError, match="LFW has no photo of eve"):
        load_lfw(photos, ["ada", "eve"])


def test_celeba_is_its_test_partition_only(tmp_path: Path) -> None:
    write(tmp_path / "17" / "182638.jpg", tmp_path / "17" / "182639.jpg")
    assert len(load_celeba(tmp_path).presentations) == 1
    write(tmp_path / "17" / "000001.jpg")
    with pytest.raises(DataError, match="is not of CelebA's test partition"):
        load_celeba(tmp_path)
