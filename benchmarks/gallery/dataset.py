"""Templates and probes for all stores, and the exact answers."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.gallery.population import Population

PROBES: Final = 1000  # of enrolled people; and as many of strangers
CHUNK: Final = 50_000


def write_dataset(population: Population, size: int, folder: Path) -> NDArray[np.int64]:
    """Draws `size` people and writes templates.npy (N, D) and probes.npy (2 * PROBES, D).

    Returns for each probe the row of its best template by an exact search, (2 * PROBES,). The first PROBES probes show
    enrolled people, the others strangers.
    """
    rng = np.random.default_rng(size)
    templates = np.lib.format.open_memmap(folder / "templates.npy", "w+", np.float32, (size, len(population.mean)))
    people = np.empty_like(templates, subok=False)
    for first in range(0, size, CHUNK):
        some = population.sample_people(min(CHUNK, size - first), rng)
        people[first : first + CHUNK], templates[first : first + CHUNK] = some, population.sample_photos(some, rng)
    templates.flush()
    mated = population.sample_photos(people[rng.choice(size, PROBES, replace=size < PROBES)], rng)
    unmated = population.sample_photos(population.sample_people(PROBES, rng), rng)
    probes = np.concatenate([mated, unmated])
    np.save(folder / "probes.npy", probes)
    return _best_rows(templates, probes)


def _best_rows(templates: NDArray[np.float32], probes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Chunk by chunk: a million templates times all probes would not fit in memory."""
    best, similarity = np.zeros(len(probes), np.int64), np.full(len(probes), -2.0, np.float32)
    for first in range(0, len(templates), CHUNK):
        scores = probes @ templates[first : first + CHUNK].T
        rows = scores.argmax(axis=1)
        highest = scores[np.arange(len(probes)), rows]
        best = np.where(highest > similarity, first + rows, best)
        similarity = np.maximum(highest, similarity)
    return best
