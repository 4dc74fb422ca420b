"""End to end: a running service with the shipped bundle, real photos and every part in between."""

import io
import threading
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from app.settings import Settings
from model.calibration import Calibration
from model.encoder.bundle import find_bundle, load_bundle
from tests.support.fakes import encoded, landscape
from tests.support.server import Server
from training.data.crops import crop_config_for, prepare_crops
from training.data.pairs import Pair, read_pairs
from training.data.photos import Photo
from training.evaluation.embeddings import embed_people
from training.evaluation.service_client import ServiceClient
from training.evaluation.service_parity import measure_parity

FIRST, SECOND = "Aaron_Peirsol/Aaron_Peirsol_0001.jpg", "Aaron_Peirsol/Aaron_Peirsol_0002.jpg"
OTHER = "Abba_Eban/Abba_Eban_0001.jpg"


def test_two_photos_are_verified(server: Server, lfw: dict[str, Photo]) -> None:
    same = server.post("/verify", {"image1": lfw[FIRST].read(), "image2": lfw[SECOND].read()}).json()
    other = server.post("/verify", {"image1": lfw[FIRST].read(), "image2": lfw[OTHER].read()}).json()
    assert same["similarity"] > other["similarity"]
    assert same["verified"] == (same["similarity"] >= same["threshold"])
    assert same["operating_point"]["impostor_pairs"] > 100_000
    assert 0 < other["probability"] < same["probability"] < 1


def test_served_similarities_equal_those_computed_offline(
    server: Server, lfw: dict[str, Photo], lfw_folder: Any, tmp_path: Any
) -> None:
    listed = read_pairs(lfw_folder / "lfw" / "pairsDevTest.txt")
    some: list[Pair] = listed[::100]
    names = sorted({name for pair in some for name in (pair.first, pair.second)})
    bundle = load_bundle(find_bundle(Settings.model_fields["bundle"].default))
    calibration = bundle.metadata.calibration
    assert isinstance(calibration, Calibration)

    served = crop_config_for(bundle)
    faces = prepare_crops([lfw[name] for name in names], served, tmp_path, "lfw", workers=1)
    scored = embed_people(bundle, faces, frozenset(faces.people))
    service = ServiceClient(server.url, list(lfw.values()))
    result = measure_parity(service, scored, some, calibration.at_fmr().threshold, bundle.metadata.encoder_id)
    service.close()
    assert result.pairs == len(some)
    assert result.without_face == ()
    assert result.largest_difference <= 1e-4
    assert result.different_verdicts == 0


def test_a_landscape_has_no_face_in_any_orientation(server: Server) -> None:
    answer = server.post("/embed", {"image": encoded(landscape(), "JPEG")})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_face_found")


@pytest.mark.parametrize("size", [(1, 1), (400, 1), (1, 400), (8, 8), (2000, 2), (3, 3000), (1000, 1), (1, 1000)])
def test_a_photo_of_any_size_without_a_face_is_no_face_found(server: Server, size: tuple[int, int]) -> None:
    answer = server.post("/embed", {"image": encoded(Image.new("RGB", size, (90, 120, 150)))})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_face_found")


def test_detect_says_how_a_face_is_turned(server: Server, lfw: dict[str, Photo]) -> None:
    upright = Image.open(io.BytesIO(lfw[FIRST].read()))
    mirrored, tilted = upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT), upright.rotate(-20, Image.Resampling.BICUBIC)
    poses = []
    for photo in (upright, mirrored, tilted):
        (face,) = server.post("/detect", {"image": encoded(photo)}).json()["faces"]
        assert face["detection_score"] > 0.95
        poses.append(face["pose"])
    assert poses[1]["yaw"] == pytest.approx(-poses[0]["yaw"], abs=5)
    assert poses[2]["roll"] == pytest.approx(poses[0]["roll"] + 20, abs=4)


def test_the_face_selection_decides_about_photos_of_two_people(server: Server, lfw: dict[str, Photo]) -> None:
    sides = [Image.open(io.BytesIO(lfw[name].read())) for name in (FIRST, OTHER)]
    both = Image.fromarray(np.hstack([np.asarray(side) for side in sides]))
    image = encoded(both, "JPEG", quality=95)
    assert len(server.post("/detect", {"image": image}).json()["faces"]) == 2
    single = server.post("/embed", {"image": image}, face_selection="single")
    assert (single.status_code, single.json()["code"]) == (422, "several_faces")
    assert server.post("/embed", {"image": image}).json()["face"]["faces_in_photo"] == 2


def test_a_rotated_photo_gives_nearly_the_same_vector(server: Server, lfw: dict[str, Photo]) -> None:
    upright = Image.open(io.BytesIO(lfw[FIRST].read()))
    turned = encoded(upright.transpose(Image.Transpose.ROTATE_270), "PNG")
    answer = server.post("/verify", {"image1": encoded(upright), "image2": turned}).json()
    assert answer["faces"][1]["rotation"] == 90
    assert answer["similarity"] > 0.95


def test_concurrent_requests_get_the_same_answers_as_sequential_ones(server: Server, lfw: dict[str, Photo]) -> None:
    names = sorted(lfw)[:400:50]

    def embed(name: str) -> list[float]:
        vector: list[float] = httpx.post(f"{server.url}/embed", files={"image": lfw[name].read()}, timeout=60).json()[
            "embedding"
        ]
        return vector

    one_by_one = [embed(name) for name in names]
    at_once: dict[str, list[float]] = {}
    threads = [threading.Thread(target=lambda name=name: at_once.update({name: embed(name)})) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, expected in zip(names, one_by_one, strict=True):
        np.testing.assert_allclose(at_once[name], expected, atol=1e-5)
