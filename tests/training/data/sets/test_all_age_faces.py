import pytest

from training.data.errors import DataError
from training.data.sets.all_age_faces import PART_ENDS, parse_name, part_of, read_doubles, rows_of_part

NAMES = [f"{number:05d}A{2 + number % 79:02d}/{number:05d}A{2 + number % 79:02d}.jpg" for number in range(2000)]


def test_a_name_says_sex_age_and_group() -> None:
    assert parse_name("00042A21/00042A21.jpg").group == "women 18-30"
    assert parse_name("07381A17.jpg").group == "children 13-17"
    oldest = parse_name("13321A80.jpg")
    assert (oldest.group, oldest.is_adult) == ("men 60 and older", True)


@pytest.mark.parametrize("name", ["Ada/photo.jpg", "42A21.jpg", "00042A21.png", "00042.jpg"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="not a photo of All-Age-Faces"):
        parse_name(name)


def test_every_person_is_in_one_part_and_the_parts_have_their_shares() -> None:
    rows = {part: rows_of_part(NAMES, part) for part in PART_ENDS}
    assert sorted(row for part in rows.values() for row in part) == list(range(len(NAMES)))
    assert len(rows["report"]) == pytest.approx(500, rel=0.15)
    assert len(rows["training"]) == pytest.approx(800, rel=0.15)
    assert part_of(NAMES[rows["calibration"][0]]) == "calibration"


def test_a_double_is_in_no_part_and_the_photo_that_stays_is_in_one() -> None:
    doubles = read_doubles()
    names = [f"{stem}/{stem}.jpg" for each in doubles for stem in (each.kept, each.left_out)]
    kept = [names[row] for part in PART_ENDS for row in rows_of_part(names, part)]
    assert len(doubles) > 100
    assert {name.split("/")[0] for name in kept} == {each.kept for each in doubles}


def test_the_list_of_doubles_names_adults_of_one_part_and_each_photo_once() -> None:
    doubles = read_doubles()
    assert len({each.left_out for each in doubles}) == len(doubles)
    for each in doubles:
        names = [f"{stem}/{stem}.jpg" for stem in (each.kept, each.left_out)]
        assert all(parse_name(name).is_adult for name in names)
        assert part_of(names[0]) == part_of(names[1]) in ("calibration", "report")
        assert each.reason in ("same photo or occasion", "same face, age and neighbouring number", "same face")
