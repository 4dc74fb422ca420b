import pytest

from training.data.errors import DataError
from training.data.sets.all_age_faces import PART_ENDS, parse_name, part_of, rows_of_part

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
