import numpy as np

from training.evaluation.several_templates import try_rejections, try_templates


def circle(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def people_around(centres: int, photos: int, spread: float) -> tuple[np.ndarray, list[str]]:
    """Vectors of `centres` people, each around a random direction."""
    rng = np.random.default_rng(0)
    directions = np.repeat(rng.normal(size=(centres, 16)), photos, axis=0)
    drawn = directions + spread * rng.normal(size=directions.shape)
    vectors = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return vectors, [f"p{row // photos}" for row in range(len(vectors))]


def test_more_templates_match_more_strangers_but_less_than_independent_ones_would() -> None:
    vectors, people = people_around(60, 6, 0.5)
    one, three = (try_templates(vectors, people, count, 0.01, draws=2) for count in (1, 3))
    assert (one.people, one.genuine, one.impostor) == (60, 60 * 5 * 2, 60 * 354 * 2)
    assert abs(one.false_matches - 0.01) < 1e-3
    assert 0.01 < three.false_matches < three.expected == 1 - 0.99**3
    assert three.fnmr_best < one.fnmr_best
    assert one.fnmr_best == one.fnmr_fused == one.fnmr_both


def test_people_with_too_few_photos_are_left_out() -> None:
    vectors, people = people_around(10, 2, 0.1)
    assert try_templates(vectors[:-1], people[:-1], 1, 0.1, draws=1).people == 9


def test_a_rejection_stops_the_repetition_and_may_lose_the_person() -> None:
    # Ada at 0 and 5 degrees, Bob at 30 and 31: at 0.8 (37 degrees) all match Ada's first photo.
    trial = try_rejections(circle(0, 5, 30, 31), ["ada", "ada", "bob", "bob"], 0.8)
    assert (trial.rejections, trial.repeated_before, trial.repeated_after, trial.lost) == (4, 1.0, 0.0, 0.0)
    # Ada's second photo is nearer to Bob's.
    assert try_rejections(circle(0, 20, 30, 31), ["ada", "ada", "bob", "bob"], 0.8).lost == 0.5
