import numpy as np
import pytest

from model.detector.levels import LARGEST_SIDE, MAX_FACTOR, PhotoLevels, base_factor, plan_factors, reduce_image


@pytest.mark.parametrize(
    ("height", "width", "factor"), [(1, 1, 1), (160, 160, 1), (161, 160, 2), (480, 640, 4), (6000, 8000, 4)]
)
def test_small_photos_are_reduced_less_and_none_by_more_than_four(height: int, width: int, factor: int) -> None:
    assert base_factor(height, width) == factor


@pytest.mark.parametrize("reduced_by", [1, 2, 4])
def test_decoding_at_reduced_size_and_the_search_reduce_by_at_most_four_together(reduced_by: int) -> None:
    assert base_factor(3000, 4000, reduced_by) * reduced_by == MAX_FACTOR


def test_an_image_decoded_at_an_eighth_is_searched_as_it_is() -> None:
    assert base_factor(3000, 4000, 8) == 1


def test_large_photos_are_searched_at_coarser_resolutions_too() -> None:
    assert plan_factors(480, 640) == [4]
    assert plan_factors(3000, 4000) == [4, 16]
    assert plan_factors(10, 200_000) == [4, 16, 64, 256, 1024]


@pytest.mark.parametrize("size", [(1, 1), (1, 100_000), (3000, 4000), (16_384, 12_288)])
def test_the_coarsest_resolution_is_small(size: tuple[int, int]) -> None:
    assert max(size) / plan_factors(*size)[-1] <= LARGEST_SIDE


def test_reduce_image_takes_means_of_blocks_and_keeps_what_remains() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    image[:2, :4:2] = 100
    image[:, 4:] = 60
    reduced = reduce_image(image, 4)
    assert reduced.shape == (1, 2, 3)
    assert reduced[0, :, 0].tolist() == [25, 60]


def test_a_factor_of_one_changes_no_pixel_and_undoes_negative_strides() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    turned = np.rot90(image)
    assert reduce_image(turned, 1).flags.c_contiguous
    np.testing.assert_array_equal(reduce_image(turned, 1), turned)


def test_a_photo_is_reduced_once_by_each_factor() -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    photo = PhotoLevels(image)
    np.testing.assert_array_equal(np.array(photo.reduced(1)), image)
    np.testing.assert_array_equal(np.array(photo.reduced(4)), reduce_image(image, 4))
    assert photo.reduced(4) is photo.reduced(4)


def test_the_coarsest_level_is_one_that_exists_already() -> None:
    photo = PhotoLevels(np.zeros((50, 70, 3), np.uint8))
    assert photo.coarsest_within(5) == 1
    photo.reduced(4)
    assert [photo.coarsest_within(factor) for factor in (1, 3, 4, 7)] == [1, 1, 4, 4]
