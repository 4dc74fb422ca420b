"""Random embeddings of made-up people."""

import numpy as np

RNG = np.random.default_rng(1)


def random_embeddings(people: int, photos: int, noise: float = 1.3) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (people * photos, 24) around a random centre for each person, and the person's number of each."""
    numbers = np.repeat(np.arange(people), photos)
    centres = RNG.normal(size=(people, 24))
    drawn = centres[numbers] + noise * RNG.normal(size=(len(numbers), 24))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32), numbers
