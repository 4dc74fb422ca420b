import numpy as np
import pytest

from training.data.sampling import BalancedSampler

# Two people with many photos, two with two, six with one.
PEOPLE = np.array([0] * 9 + [1] * 7 + [2, 2, 3, 3, 4, 5, 6, 7, 8, 9])


def test_a_batch_holds_p_people_with_k_photos_each_side_by_side() -> None:
    batch = BalancedSampler(PEOPLE, per_batch=6, photos=4, seed=0).batch(0)
    drawn = PEOPLE[batch].reshape(6, 4)
    assert (drawn == drawn[:, :1]).all()
    assert len(set(drawn[:, 0])) == 6


def test_three_quarters_are_people_with_several_photos_as_far_as_there_are() -> None:
    sampler = BalancedSampler(PEOPLE, per_batch=4, photos=2, seed=0)
    for step in range(20):
        assert (PEOPLE[sampler.batch(step)].reshape(4, 2)[:, 0] <= 3).sum() >= 3


def test_photos_repeat_only_where_a_person_has_too_few() -> None:
    sampler = BalancedSampler(PEOPLE, per_batch=6, photos=4, seed=0)
    for step in range(20):
        for photos in sampler.batch(step).reshape(6, 4):
            have = (PEOPLE[photos[0]] == PEOPLE).sum()
            assert len(set(photos)) == min(4, have)


def test_a_step_depends_on_seed_and_step_alone() -> None:
    first, second = (BalancedSampler(PEOPLE, 6, 4, seed=3) for _ in range(2))
    first.batch(0)
    np.testing.assert_array_equal(first.batch(5), second.batch(5))
    assert (first.batch(5) != first.batch(6)).any()
    assert (first.batch(5) != BalancedSampler(PEOPLE, 6, 4, seed=4).batch(5)).any()


def test_more_people_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="there are 10"):
        BalancedSampler(PEOPLE, per_batch=11, photos=2, seed=0)
