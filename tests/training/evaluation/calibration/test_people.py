from tests.support.training.embeddings import random_embeddings
from training.evaluation.calibration.people import CalibrationPeople
from training.evaluation.embeddings import Embeddings


def embeddings(people: int, photos: int, label: str) -> Embeddings:
    vectors, labels = random_embeddings(people, photos)
    return Embeddings(vectors, tuple(f"{label}{person}/{row}.jpg" for row, person in enumerate(labels)), ())


def test_the_halves_share_nobody_and_leave_nobody_out() -> None:
    sets = {label: embeddings(60, 3, label) for label in ("a", "b")}
    first, second = CalibrationPeople(sets, {}, None).halves()
    for one, other in zip(first.sets, second.sets, strict=True):
        assert one.people + other.people == 60
        assert min(one.people, other.people) > 15
        assert len(one.genuine) + len(other.genuine) == 60 * 3
