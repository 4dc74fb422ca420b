import numpy as np
import pytest

from training.data.errors import DataError
from training.data.sampling import BalancedSampler

# Two people with many photos, two with two, six with one.
PEOPLE = np.array([0] * 9 + [1] * 7 + [2, 2, 3, 3, 4, 5, 6, 7, 8, 9])


def test_a_batch_holds_p_people_with_k_neighbouring_photos_each() -> None:
    batch = BalancedSampler(PEOPLE, people_per_batch=6, photos_per_person=4, seed=0).batch(0)
    drawn = PEOPLE[batch].reshape(6, 4)
    assert (drawn == drawn[:, :1]).all()
    assert len(set(drawn[:, 0])) == 6


def test_three_quarters_of_a_batch_are_people_with_several_photos() -> None:
    sampler = BalancedSampler(PEOPLE, people_per_batch=4, photos_per_person=2, seed=0)
    for step in range(20):
        assert (PEOPLE[sampler.batch(step)].reshape(4, 2)[:, 0] <= 3).sum() >= 3


def test_photos_repeat_only_if_a_person_has_too_few() -> None:
    sampler = BalancedSampler(PEOPLE, people_per_batch=6, photos_per_person=4, seed=0)
    for step in range(20):
        for photos in sampler.batch(step).reshape(6, 4):
            available = (PEOPLE[photos[0]] == PEOPLE).sum()
            assert len(set(photos)) == min(4, available)


def test_a_batch_depends_on_the_seed_and_the_step_alone() -> None:
    first, second = (BalancedSampler(PEOPLE, 6, 4, seed=3) for _ in range(2))
    first.batch(0)
    np.testing.assert_array_equal(first.batch(5), second.batch(5))
    assert (first.batch(5) != first.batch(6)).any()
    assert (first.batch(5) != BalancedSampler(PEOPLE, 6, 4, seed=4).batch(5)).any()


@pytest.mark.parametrize("people", [PEOPLE, PEOPLE[:0]])
def test_too_few_people_for_a_batch_are_an_error(people: np.ndarray) -> None:
    with pytest.raises(DataError, match=rf"only {len(np.unique(people))} people.*\[sampling\]"):
        BalancedSampler(people, people_per_batch=11, photos_per_person=2, seed=0)
