from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from model.encoder.bundle import find_bundle, load_bundle
from model.images import Pixels
from tests.support.training.detections import NO_FACES, make_face
from tests.support.training.pools import InProcessPool
from training.config import CropConfig
from training.data.photos import Photo
from training.data.prepared_faces import PreparedFaces
from training.detector import report
from training.detector.metrics import Detections
from training.detector.peers import MTCNN, Detect
from training.detector.photo_sets import MTCNN_LABELS, PhotoSet
from training.detector.pseudo_labels import LabelledPhotos
from training.detector.report import (
    CROWD,
    SIDES,
    THREADS,
    choose_threshold,
    make_crowd,
    measure_crowd,
    measure_detectors,
    measure_photo_sets,
    measure_times,
    measure_verification,
)

WHITE = np.full((250, 250, 3), 255, np.uint8)


class FakePhotos(LabelledPhotos):
    """Photos of one brightness each, without files."""

    def decode(self, row: int) -> Pixels:
        return np.full((20, 20, 3), row, np.uint8)

    def __len__(self) -> int:
        return len(self.faces)


def fake_photos(*faces: Detections) -> FakePhotos:
    return FakePhotos((), faces)


def scores(*photos: list[float]) -> list[np.ndarray]:
    return [np.array(each, np.float32) for each in photos]


@pytest.mark.parametrize(
    ("photos", "false_faces", "passing"),
    [
        ([[0.9], [0.8], [0.7], []], 0.5, 2),
        ([[0.9], [0.8, 0.8], [0.8], []], 0.5, 1),  # of three equal scores all pass or none
        ([[0.8, 0.8], [0.8], [], []], 0.5, 0),
        ([[0.9, 0.9], [0.8], [], []], 0.5, 2),
        ([[0.9], [0.8], [0.7], []], 0.0, 0),
        ([[0.9], [0.8], [0.7], []], 0.25, 1),
        ([[0.9], [0.8], [0.7], []], 0.49, 1),  # 1.96 faces are one
        ([[0.9], [0.8], [], []], 0.5, 2),
        ([[], []], 0.5, 0),
    ],
)
def test_the_threshold_lets_at_most_the_allowed_share_pass(
    photos: list[list[float]], false_faces: float, passing: int
) -> None:
    given = scores(*photos)
    threshold = choose_threshold(given, false_faces)
    assert sum(int((each >= threshold).sum()) for each in given) == passing


def test_the_threshold_is_the_lowest_that_is_possible() -> None:
    threshold = choose_threshold(scores([0.9], [0.8], [0.7], [0.6]), 0.5)
    assert threshold == np.nextafter(np.float32(0.7), np.float32(1))
    assert choose_threshold(scores([0.9], [0.8]), 1.0) == 0.0


def test_peers_are_compared_at_the_threshold_of_equal_false_faces() -> None:
    people = PhotoSet(
        "people", "made up", fake_photos(*[make_face(50, 50, 40)[None]] * 2, make_face(50, 50, 40, 0.6)[None])
    )
    faceless = [PhotoSet(name, "no people", fake_photos(*[NO_FACES] * 50)) for name in ("pets", "walls")]

    def strong(image: Pixels) -> Detections:
        return make_face(51, 50, 40, 0.9)[None] if image[0, 0, 0] < 3 else NO_FACES

    def weak(image: Pixels) -> Detections:  # as sure on every fifth photo without people as on those with people
        return make_face(50, 50, 40, 0.9)[None] if image[0, 0, 0] % 5 != 1 else NO_FACES

    measured = measure_photo_sets([people], faceless, {"strong": strong, "weak": weak})
    names = [(line["source"], line["detector"]) for line in measured["faceless"]]
    assert names == [("pets", "strong"), ("walls", "strong"), ("pets", "weak"), ("walls", "weak")]
    for line, faces in zip(measured["faceless"], (3, 3, 40, 40), strict=True):
        assert (line["photos"], line["photos_with_a_face"], line["faces"]) == (50, faces, faces)
    for line, lost in zip(measured["sources"], (0, 1), strict=True):
        assert (line["source"], line["truth"]) == ("people", "made up")
        assert (line["faces"], line["photos"]) == (2, 3)
        # Each gives more false faces than 1 in 100 photos at the only score it knows.
        assert line["recall"] == 0
        assert line["threshold"] > 0.9
        assert line["photos_lost"] == lost  # at the peer's own threshold
    without_false_faces = measure_photo_sets([people], faceless[:1], {"none": lambda _: NO_FACES})
    assert without_false_faces["sources"][0]["threshold"] == 0


def test_a_peer_without_false_faces_keeps_its_recall() -> None:
    people = PhotoSet("people", "made up", fake_photos(make_face(50, 50, 40)[None], make_face(50, 50, 40)[None]))
    faceless = PhotoSet("pets", "no people", fake_photos(*[NO_FACES] * 7))

    def detect(image: Pixels) -> Detections:
        calls.append(image)
        return make_face(50, 50, 40, 0.3, landmark_shift=1.6)[None] if len(calls) == 8 else NO_FACES

    calls: list[Pixels] = []
    (line,) = measure_photo_sets([people], [faceless], {"careful": detect})["sources"]
    assert (line["recall"], line["photos_lost"]) == (0.5, 1)
    assert line["landmark_error"] == pytest.approx(0.1, rel=0.01)


def test_every_size_is_timed_with_every_number_of_threads() -> None:
    seen = set()

    def detect(image: Pixels) -> Detections:
        seen.add((image.shape[0], torch.get_num_threads(), cv2.getNumThreads()))
        return NO_FACES

    before = torch.get_num_threads(), cv2.getNumThreads()
    lines = measure_times([WHITE], {"one": detect, "two": detect}, repeats=1)
    assert [(line["side"], line["threads"]) for line in lines] == [(side, n) for n in THREADS for side in SIDES]
    assert seen == {(side, threads, threads) for side in SIDES for threads in THREADS}
    assert all(line["milliseconds"].keys() == {"one", "two"} for line in lines)
    assert all(time >= 0 for line in lines for time in line["milliseconds"].values())
    assert before == (torch.get_num_threads(), cv2.getNumThreads())


@pytest.mark.parametrize("faces", [1, 7, 10, 13, 50])
def test_every_face_of_a_crowd_is_shown_whole(faces: int) -> None:
    width, height, _ = CROWD
    page = make_crowd([WHITE], width, height, faces)
    assert page.shape == (height, width, 3)
    assert (page == 255).all(axis=2).sum() == faces * 200 * 200
    assert set(np.unique(page)) == {120, 255}


def test_a_crowd_is_made_of_all_photos_in_turn() -> None:
    page = make_crowd([np.full((250, 250, 3), value, np.uint8) for value in (10, 20, 30)], 4000, 600, 5)
    counts = [int((page == value).all(axis=2).sum()) // 40_000 for value in (10, 20, 30)]
    assert counts == [2, 2, 1]


def test_the_faces_found_in_a_crowd_are_counted() -> None:
    def detect(image: Pixels) -> Detections:
        shapes.append(image.shape)
        count = int((image == 255).all(axis=2).sum()) // 40_000
        return np.repeat(NO_FACES[:1] if count == 0 else make_face(1, 1, 1)[None], count, axis=0)

    shapes: list[tuple[int, ...]] = []
    crowd = measure_crowd([WHITE], {"all": detect, "none": lambda _: NO_FACES}, repeats=1)
    assert crowd["found"] == {"all": CROWD[2], "none": 0}
    assert (crowd["width"], crowd["height"], crowd["faces"]) == CROWD
    assert set(shapes) == {(CROWD[1], CROWD[0], 3)}
    assert crowd["milliseconds"].keys() == {"all", "none"}


def test_the_report_holds_every_part_of_every_peer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[tuple[Path, object, Sequence[str] | None]] = []
    timed = set()

    def detect(image: Pixels) -> Detections:
        timed.add(image.shape)
        return NO_FACES

    def open_fakes(data: Path, earlier: Path | None, names: Sequence[str] | None = None) -> dict[str, Detect]:
        opened.append((data, earlier, names))
        return dict.fromkeys(names or ("one", "two"), detect)

    for name, value in (
        ("CROWD", (2100, 300, 10)),
        ("SIDES", (32,)),
        ("ProcessPoolExecutor", InProcessPool),
        ("peer_names", lambda earlier: ("one", "two")),
        ("open_peers", open_fakes),
    ):
        monkeypatch.setattr(report, name, value)
    people = PhotoSet("people", "made up", fake_photos(*[make_face(10, 10, 10)[None]] * 60))
    faceless = PhotoSet("pets", "no people", fake_photos(NO_FACES))
    whole = measure_detectors([people], [faceless], tmp_path, None, {"tar": {}}, "the command")
    assert whole.keys() == {"command", "machine", "times", "crowd", "verification", "faceless", "sources"}
    assert (whole["command"], whole["verification"]) == ("the command", {"tar": {}})
    assert opened == [(tmp_path, None, names) for names in (("one",), ("two",), None)]
    for part in ("faceless", "sources"):
        assert [line["detector"] for line in whole[part]] == ["one", "two"]
    assert whole["times"][0]["milliseconds"].keys() == whole["crowd"]["found"].keys() == {"one", "two"}
    assert {(20, 20, 3), (32, 32, 3), (300, 2100, 3)} == timed


def test_mtcnn_is_not_run_again_on_photos_that_it_labelled() -> None:
    def fail(image: Pixels) -> Detections:
        raise AssertionError

    people = PhotoSet("LFW", MTCNN_LABELS, fake_photos(make_face(10, 10, 10)[None]))
    (line,) = measure_photo_sets(
        [people], [PhotoSet("labelled, too", MTCNN_LABELS, fake_photos(NO_FACES))], {MTCNN: fail}
    )["sources"]
    assert (line["recall"], line["landmark_error"]) == (1, 0)


def test_verification_compares_the_crops_of_both_detectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = load_bundle(find_bundle("lfw"))
    size, kinds = bundle.metadata.crop_size, []
    photos = [Photo(f"p{person}/{photo}.jpg", tmp_path) for person in range(46) for photo in range(2)]
    rng = np.random.default_rng(0)
    persons = rng.integers(0, 256, (46, size, size, 3)).astype(np.uint8).repeat(2, axis=0)

    def prepare(photos: Sequence[Photo], config: CropConfig, build: Path, label: str) -> PreparedFaces:
        kinds.append(config)
        count = len(photos)
        kept = count if config.detector == "service" else count - 2
        crops = persons if config.detector == "service" else np.roll(persons, 1, axis=0)
        names = tuple(photo.name for photo in photos)
        missing = dict.fromkeys(names[kept:], "no face")
        return PreparedFaces(
            names[:kept], crops[:kept], np.zeros((kept, 5, 2), np.float32), missing, config.detector, margin=0
        )

    monkeypatch.setattr(report, "FMRS", (1e-2,))  # the strictest that so few pairs support
    monkeypatch.setattr(report, "find_photos", lambda source: photos)
    monkeypatch.setattr(report, "prepare_crops", prepare)
    measured = measure_verification(bundle, frozenset(f"p{person}" for person in range(45)), tmp_path, tmp_path)
    assert kinds == [CropConfig(size, 0, "service"), CropConfig(size, 0, "mtcnn")]
    assert measured["bundle"] == "lfw"
    assert measured["photos"] == 90  # not those of p45
    assert measured["photos_lost"] == {"service": 0, "mtcnn": 2}
    assert measured["tar"]["0.01"]["service"] == 1  # the photos of a person are the same
    assert measured["tar"]["0.01"]["mtcnn"] < 1
    assert measured["difference"]["0.01"]["value"] > 0
