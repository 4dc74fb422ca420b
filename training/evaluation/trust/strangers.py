"""People of whom there is one photo each: groups by sex and age, and photos that share a defect."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.encoder.bundle import Bundle
from training.data.prepared_faces import PreparedFaces
from training.data.sets.all_age_faces import Part, parse_name, rows_of_part
from training.evaluation.embeddings import Embeddings, embed
from training.metrics.groups import GroupScores, compare_within_groups
from training.metrics.verification import PairScores

CALIBRATION_PEOPLE: Final = 500  # of each source, whose photos are degraded to choose floors
REPORTED_PEOPLE: Final = 250  # the same for reports


def embed_part(bundle: Bundle, faces: PreparedFaces, part: Part) -> Embeddings:
    """The embeddings of one part of All-Age-Faces. Raises DataError if none of its photos has a face."""
    rows = np.array(rows_of_part(faces.names, part), np.int64)
    encoding = embed(bundle, faces, rows)
    names = tuple(faces.names[row] for row in rows)
    return Embeddings(encoding.vectors, names, (), encoding.recognizability)


def score_groups(strangers: Embeddings) -> GroupScores:
    """The scores within each group of All-Age-Faces by sex and age."""
    people = [parse_name(name) for name in strangers.names]
    adults = frozenset(person.group for person in people if person.is_adult)
    return compare_within_groups(strangers.vectors, [person.group for person in people], adults)


def adults_of(strangers: Embeddings) -> Embeddings:
    """Only the adults of All-Age-Faces."""
    return strangers.without([name for name in strangers.names if not parse_name(name).is_adult])


def pair_adults(strangers: Embeddings) -> PairScores:
    """Every pair of adults of All-Age-Faces, of one group or of two."""
    return adults_of(strangers).all_pairs()


def one_photo_each(faces: PreparedFaces, people: Sequence[str], most: int) -> NDArray[np.uint8]:
    """The crop of the first photo, (n, S, S, 3), of each of `most` people at most, in alphabetical order."""
    first: dict[str, int] = {}
    wanted = frozenset(people)
    for row, person in enumerate(faces.people):
        if person in wanted:
            first.setdefault(person, row)
    rows = [first[person] for person in sorted(first)]
    return faces.without_margin(np.array(rows[:: max(len(rows) // most, 1)][:most], np.int64))
