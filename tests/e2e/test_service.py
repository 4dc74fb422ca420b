"""End to end: a running service with the shipped bundle, real photos and every part in between."""

import io
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from app.settings import Settings
from model.calibration import Calibration
from model.detector.factory import DetectorKind
from model.encoder.bundle import find_bundle, load_bundle
from tests.support.fakes import encoded, landscape
from tests.support.server import Launch, Server
from training.config import CropConfig
from training.data.crops import prepare_crops
from training.data.lfw import lfw_photo_name
from training.data.pairs import Pair, read_pairs
from training.data.photos import Photo
from training.evaluation.embeddings import embed_people
from training.evaluation.identification_trial import largest_difference, run_identification_trial
from training.evaluation.service_client import ServiceClient
from training.evaluation.service_parity import measure_parity

FIRST, SECOND = "Aaron_Peirsol/Aaron_Peirsol_0001.jpg", "Aaron_Peirsol/Aaron_Peirsol_0002.jpg"
OTHER = "Abba_Eban/Abba_Eban_0001.jpg"


def post(server: Server, path: str, images: dict[str, bytes], **fields: Any) -> httpx.Response:
    return server.http.post(path, files=images, data=fields)


def test_two_photos_are_verified(server: Server, lfw: dict[str, Photo]) -> None:
    same = post(server, "/verify", {"image1": lfw[FIRST].read(), "image2": lfw[SECOND].read()}).json()
    other = post(server, "/verify", {"image1": lfw[FIRST].read(), "image2": lfw[OTHER].read()}).json()
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

    served = CropConfig(bundle.metadata.crop_size, 16, DetectorKind.LOCATOR.value)
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
    answer = post(server, "/embed", {"image": encoded(landscape(), "JPEG")})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_face_found")


def test_the_face_selection_decides_about_photos_of_two_people(server: Server, lfw: dict[str, Photo]) -> None:
    sides = [Image.open(io.BytesIO(lfw[name].read())) for name in (FIRST, OTHER)]
    both = Image.fromarray(np.hstack([np.asarray(side) for side in sides]))
    image = encoded(both, "JPEG", quality=95)
    assert len(post(server, "/detect", {"image": image}).json()["faces"]) == 2
    single = post(server, "/embed", {"image": image}, face_selection="single")
    assert (single.status_code, single.json()["code"]) == (422, "several_faces")
    assert post(server, "/embed", {"image": image}).json()["face"]["faces_in_photo"] == 2


def test_a_rotated_photo_gives_nearly_the_same_vector(server: Server, lfw: dict[str, Photo]) -> None:
    upright = Image.open(io.BytesIO(lfw[FIRST].read()))
    turned = encoded(upright.transpose(Image.Transpose.ROTATE_270), "PNG")
    answer = post(server, "/verify", {"image1": encoded(upright), "image2": turned}).json()
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


def test_search_results_are_the_same_after_a_restart(launch: Launch, lfw: dict[str, Photo]) -> None:
    photos = [photo for photo in lfw.values() if photo.person[0] == "A"]
    people = frozenset(photo.person for photo in photos)
    first = launch()
    service = ServiceClient(first.url, photos)
    before = run_identification_trial(service, photos, people, 8, "trial", enroll=True)
    service.close()
    assert before.rank1 > 0.3  # chance is 1/8
    first.stop()
    service = ServiceClient(launch().url, photos)
    after = run_identification_trial(service, photos, people, 8, "trial", enroll=False)
    service.close()
    assert largest_difference(before, after) == 0


def test_two_services_on_one_gallery_see_each_others_enrollments_at_once(
    server: Server, launch: Launch, lfw: dict[str, Photo]
) -> None:
    other = launch()
    for number, (writer, reader) in enumerate([(server, other), (other, server)]):
        image = lfw[lfw_photo_name("Abdullah", 1) if number else OTHER].read()
        enrolled = post(writer, "/enroll", {"image": image}, identity=f"p{number}", gallery="shared")
        assert enrolled.status_code == 201
        found = post(reader, "/identify", {"image": image}, gallery="shared").json()
        assert found["candidates"][0]["identity"] == f"p{number}"
        assert found["candidates"][0]["similarity"] == pytest.approx(1, abs=1e-5)


def test_killing_the_service_loses_no_acknowledged_enrollment(launch: Launch, lfw: dict[str, Photo]) -> None:
    victim = launch()
    names = sorted(lfw)[:60]
    acknowledged: list[str] = []

    def enroll_all() -> None:
        for name in names:
            try:
                answer = post(
                    victim, "/enroll", {"image": lfw[name].read()}, identity=name.replace("/", "-"), gallery="k"
                )
            except httpx.TransportError:
                return
            if answer.status_code == 201:
                acknowledged.append(answer.json()["template_id"])

    thread = threading.Thread(target=enroll_all)
    thread.start()
    while len(acknowledged) < 6:
        thread.join(0.05)
    victim.process.kill()
    thread.join()
    assert len(acknowledged) < len(names)
    survivor = launch()
    page = survivor.http.get("/identities", params={"gallery": "k", "limit": 500}).json()["identities"]
    stored = {template["template_id"] for each in page for template in each["templates"]}
    assert set(acknowledged) <= stored
    assert all(len(each["templates"]) == 1 for each in page)


def test_stopping_the_service_answers_pending_requests_first(launch: Launch, lfw: dict[str, Photo]) -> None:
    ending = launch(FACETWIN_THREADS="1")
    answers: list[int] = []

    def ask(name: str) -> None:
        answers.append(httpx.post(f"{ending.url}/embed", files={"image": lfw[name].read()}, timeout=60).status_code)

    threads = [threading.Thread(target=ask, args=(name,)) for name in sorted(lfw)[:8]]
    for thread in threads:
        thread.start()
    while not answers:
        threads[0].join(0.005)
    ending.stop()
    for thread in threads:
        thread.join()
    assert answers == [200] * 8


def test_the_log_is_json_without_names(launch: Launch, lfw: dict[str, Photo]) -> None:
    server = launch()
    post(server, "/enroll", {"image": lfw[FIRST].read()}, identity="peirsol", gallery="logged")
    server.http.get("/identities/peirsol", params={"gallery": "logged"})
    server.stop()
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request" and line["route"] != "/readyz"]
    assert [line["route"] for line in requests] == ["/enroll", "/identities/{identity}"]
    assert "peirsol" not in server.log.read_text().lower()


def test_an_unusable_setting_stops_the_start_with_a_message(launch: Launch) -> None:
    with pytest.raises(RuntimeError, match="There is no bundle 'nonesuch'"):
        launch(FACETWIN_BUNDLE="nonesuch")
    with pytest.raises(RuntimeError, match="There is no bundle 'nonesuch'"):
        launch(FACETWIN_BUNDLE="nonesuch", FACETWIN_WORKERS="2")
    with pytest.raises(RuntimeError, match="FACETWIN_API_KEYS"):
        launch(FACETWIN_HOST="0.0.0.0")


def test_processes_share_the_gallery_and_sum_their_metrics(launch: Launch, lfw: dict[str, Photo]) -> None:
    server = launch(FACETWIN_WORKERS="2")
    names = sorted(lfw)[:600:50]
    for number, name in enumerate(names):
        # Every new connection may reach either process.
        enrolled = httpx.post(
            f"{server.url}/enroll", files={"image": lfw[name].read()}, data={"identity": str(number), "gallery": "two"}
        )
        assert enrolled.status_code == 201
        for _ in range(3):
            found = httpx.post(f"{server.url}/identify", files={"image": lfw[name].read()}, data={"gallery": "two"})
            assert found.json()["candidates"][0]["identity"] == str(number)
            assert found.json()["gallery_size"] == number + 1
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    counts = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}
    assert counts['facetwin_requests_total{method="POST",route="/enroll",status="201"}'] == len(names)
    assert counts['facetwin_requests_total{method="POST",route="/identify",status="200"}'] == 3 * len(names)
    assert sum("facetwin_bundle_info" in name for name in counts) == 1
    server.stop()


def test_a_disconnected_caller_leaves_the_queue(launch: Launch, lfw: dict[str, Photo]) -> None:
    server = launch(FACETWIN_THREADS="1")
    image = lfw[FIRST].read()

    def give_up() -> None:
        with pytest.raises(httpx.TimeoutException):
            httpx.post(f"{server.url}/embed", files={"image": image}, timeout=httpx.Timeout(0.02, connect=5))

    threads = [threading.Thread(target=give_up) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert post(server, "/embed", {"image": image}).status_code == 200
    page = server.http.get("/metrics").text
    assert "facetwin_requests_in_flight 0.0" in page
    assert 'status="499"' in page


def test_enroll_all_resumes_after_it_was_killed(server: Server, lfw: dict[str, Photo], tmp_path: Path) -> None:
    names = sorted(lfw)[:40]
    for name in names:
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(lfw[name].read())
    report = tmp_path / "report.ndjson"
    command = ["enroll-all", str(tmp_path / "photos"), "--report", str(report), "--gallery", "folder"]
    run = [sys.executable, "-c", "from app.cli import main; main()", *command, "--url", server.url]
    killed = subprocess.Popen(run, stderr=subprocess.DEVNULL)
    while not report.exists() or report.read_text().count("\n") < 8:
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert "done before" in done.stdout
    page = server.http.get("/identities", params={"gallery": "folder", "limit": 500}).json()
    stored = [template for each in page["identities"] for template in each["templates"]]
    reported = [json.loads(line) for line in report.read_text().splitlines()]
    assert {each["photo"] for each in reported} == set(names)
    assert {each["template_id"] for each in reported} - {""} == {each["template_id"] for each in stored}
    assert len(stored) == sum(each["status"] == "enrolled" for each in reported) > 35
