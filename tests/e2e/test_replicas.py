"""Several services on one PostgreSQL, and clients that take turns between them like a load balancer."""

import threading
from itertools import count

import httpx

from tests.support.server import Launch
from training.data.photos import Photo

CLIENTS = 4


def test_an_enrollment_survives_its_service_and_is_visible_to_all_others(
    launch: Launch, postgres_url: str, lfw: dict[str, Photo]
) -> None:
    services = [launch(FACETWIN_GALLERY_URL=postgres_url, FACETWIN_THREADS="1") for _ in range(3)]
    names, turns = iter(sorted(lfw)[:1600:40]), count()
    acknowledged: dict[str, tuple[str, str]] = {}  # identity -> photo, template id
    errors: list[str] = []

    def send(path: str, name: str, **fields: str) -> httpx.Response | None:
        """Sends a photo to the next service that answers."""
        first = next(turns)
        for turn in range(len(services)):
            service = services[(first + turn) % len(services)]
            try:
                return httpx.post(f"{service.url}{path}", files={"image": lfw[name].read()}, data=fields, timeout=60)
            except httpx.TransportError:
                continue  # killed, perhaps after storing the template
        return None

    def client() -> None:
        for name in names:
            identity = name.replace("/", "-")
            enrolled = send("/enroll", name, identity=identity)
            if enrolled is None or enrolled.status_code not in (201, 409):
                errors.append(f"{name}: {enrolled and enrolled.text}")
                continue
            if enrolled.status_code == 201:
                acknowledged[identity] = (name, enrolled.json()["template_id"])
            found = send("/identify", name)
            if found is None or found.json()["candidates"][0]["identity"] != identity:
                errors.append(f"{name}: {found and found.text}")

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 12:
        threads[0].join(0.02)
    services[0].process.kill()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(acknowledged) >= 40 - CLIENTS
    for survivor in services[1:]:
        for identity, (_, template_id) in acknowledged.items():
            templates = survivor.http.get(f"/identities/{identity}").json()["templates"]
            assert [each["template_id"] for each in templates] == [template_id]
        summary = survivor.http.get("/galleries").json()["galleries"][0]
        assert summary["templates"] == summary["identities"] == 40
