import json
from pathlib import Path

import pytest

from tests.support.training.photo_service import FakeFaceService, connect, write_named_photos
from training.data.errors import DataError
from training.evaluation.identification_trial import largest_difference, run_identification_trial

PEOPLE = frozenset(f"p{number}" for number in range(8))


def test_half_of_the_people_are_enrolled_and_all_are_searched(tmp_path: Path) -> None:
    service, photos = FakeFaceService(), write_named_photos(tmp_path)
    client = connect(service, photos)
    first = run_identification_trial(client, photos, PEOPLE, 4, "g", enroll=True)
    assert service.enrolled == {"p0", "p2", "p4", "p6"}
    assert (first.rank1, first.fnir, first.fpir) == (1.0, 0.0, 0.0)
    second = run_identification_trial(client, photos, PEOPLE, 4, "g", enroll=False)
    assert largest_difference(first, second) == 0
    assert json.dumps(first.answers)


def test_a_service_that_lost_its_gallery_misses_everybody(tmp_path: Path) -> None:
    service, photos = FakeFaceService(), write_named_photos(tmp_path)
    client = connect(service, photos)
    before = run_identification_trial(client, photos, PEOPLE, 4, "g", enroll=True)
    service.enrolled.clear()
    after = run_identification_trial(client, photos, PEOPLE, 4, "g", enroll=False)
    assert (after.fnir, after.fpir) == (1.0, 0.0)
    assert largest_difference(before, after) == float("inf")


def test_too_few_people_are_refused(tmp_path: Path) -> None:
    photos = write_named_photos(tmp_path)
    with pytest.raises(DataError, match="there are 8"):
        run_identification_trial(connect(FakeFaceService(), photos), photos, PEOPLE, 5, "g", enroll=True)
