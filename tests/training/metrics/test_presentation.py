import numpy as np
import pytest

from training.metrics.presentation import choose_threshold, estimate_rate, wilson_interval


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    """Newcombe 1998, 'Two-sided confidence intervals for the single proportion': 15 of 148 and 0 of 20."""
    assert wilson_interval(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson_interval(0.0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_one_photo_a_person_counts_fully() -> None:
    rate = estimate_rate([True] * 15 + [False] * 133, [str(i) for i in range(148)])
    assert (rate.errors, rate.presentations, rate.people) == (15, 148, 148)
    assert rate.interval == pytest.approx(wilson_interval(15 / 148, 148), rel=0.02)


def test_photos_that_fail_together_count_as_few_as_their_people() -> None:
    """Ten people with 100 photos each, all of two people's wrong: no more is known than from ten photos."""
    wrong = np.repeat([True, True, *[False] * 8], 100)
    people = np.repeat([str(i) for i in range(10)], 100).tolist()
    assert estimate_rate(wrong, people).interval == pytest.approx(wilson_interval(0.2, 10))


@pytest.mark.parametrize("wrong", [True, False])
def test_without_any_difference_only_people_count(wrong: bool) -> None:
    rate = estimate_rate([wrong] * 500, ["one"] * 250 + ["two"] * 250)
    assert rate.interval == pytest.approx(wilson_interval(float(wrong), 2))


@pytest.mark.parametrize(("wrong", "people"), [([], []), ([True], [])])
def test_presentations_without_people_are_refused(wrong: list[bool], people: list[str]) -> None:
    with pytest.raises(ValueError, match="each presentation needs one person"):
        estimate_rate(wrong, people)


def test_the_threshold_is_the_highest_that_refuses_no_more_than_the_target() -> None:
    scores = np.arange(100) / 100
    assert choose_threshold([scores], 0.05) == 0.05
    assert choose_threshold([scores], 0.0) == 0.0


def test_each_set_counts_alike_for_the_threshold() -> None:
    many, few = np.linspace(0.5, 1, 1000), np.array([0.1, 0.9])
    threshold = choose_threshold([many, few], 0.25)  # half of the few, none of the many
    assert 0.1 < threshold <= 0.5


def test_a_threshold_needs_bona_fide_presentations() -> None:
    for sets in ([], [np.array([])]):
        with pytest.raises(ValueError, match="every set needs bona fide presentations"):
            choose_threshold(sets, 0.05)
