import pytest

from training.data.errors import DataError
from training.data.sets.utkface import group_of


def test_a_name_says_sex_and_origin_of_an_adult() -> None:
    assert group_of("26_1_2_20170116184114350/26_1_2_20170116184114350.jpg") == "East Asian women"
    assert group_of("40_0_4_20170116184114350.jpg") == "men of other origin"
    assert group_of("17_0_0_20170116184114350.jpg") is None


@pytest.mark.parametrize("name", ["Ada/1.jpg", "26_1_7_20170116184114350.jpg", "26_1_20170116184114350.jpg"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="not a photo of UTKFace"):
        group_of(name)
