import numpy as np

from training.detector.composites.texture import draw_texture


def test_a_texture_has_the_size_and_depends_on_the_generator_only() -> None:
    first, again, other = (draw_texture(np.random.default_rng(seed), 30, 20) for seed in (0, 0, 1))
    assert first.shape == (20, 30, 3)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
