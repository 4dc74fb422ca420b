"""End to end: restarts, kills, several processes on one gallery, and clients that disconnect."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.support.server import Launch, Server
from training.data.photos import Photo
from training.data.sets.lfw import lfw_photo_name
from training.evaluation.identification_trial import largest_difference, run_identification_trial
from training.evaluation.service_client import ServiceClient

FIRST, OTHER = "Aaron_Peirsol/Aaron_Peirsol_0001.jpg", "Abba_Eban/Abba_Eban_0001.jpg"


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
        enrolled = writer.post("/enroll", {"image": image}, identity=f"p{number}", gallery="shared")
        assert enrolled.status_code == 201
        found = reader.post("/identify", {"image": image}, gallery="shared").json()
        assert found["candidates"][0]["identity"] == f"p{number}"
        assert found["candidates"][0]["similarity"] == pytest.approx(1, abs=1e-5)


def test_killing_the_service_loses_no_acknowledged_enrollment(launch: Launch, lfw: dict[str, Photo]) -> None:
    victim = launch()
    names = sorted(lfw)[:60]
    acknowledged: list[str] = []

    def enroll_all() -> None:
        for name in names:
            try:
                answer = victim.post(
                    "/enroll", {"image": lfw[name].read()}, identity=name.replace("/", "-"), gallery="k"
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
    server.post("/enroll", {"image": lfw[FIRST].read()}, identity="peirsol", gallery="logged")
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
    assert server.post("/embed", {"image": image}).status_code == 200
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
