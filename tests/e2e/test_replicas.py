"""Several services on one PostgreSQL, and clients that go from one to the next as a load balancer does."""

import threading
from itertools import count

import httpx

from tests.e2e.conftest import Launch
from training.data.photos import Photo

CLIENTS = 4


def test_what_one_service_has_acknowledged_all_others_know_even_if_it_is_killed(
    launch: Launch, postgres_url: str, lfw: dict[str, Photo]
) -> None:
    services = [launch(FACETWIN_GALLERY_URL=postgres_url, FACETWIN_THREADS="1") for _ in range(3)]
    names, turns = iter(sorted(lfw)[:1600:40]), count()
    acknowledged: dict[str, tuple[str, str]] = {}  # identity -> photo, template id
    wrong: list[str] = []

    def ask(path: str, name: str, **fields: str) -> httpx.Response | None:
        """By the next service that answers."""
        first = next(turns)
        for turn in range(len(services)):
            service = services[(first + turn) % len(services)]
            try:
                return httpx.post(f"{service.url}{path}", files={"image": lfw[name].read()}, data=fields, timeout=60)
            except httpx.TransportError:
                continue  # killed: perhaps having kept what it could not acknowledge any more
        return None

    def client() -> None:
        for name in names:
            identity = name.replace("/", "-")
            enrolled = ask("/enroll", name, identity=identity)
            if enrolled is None or enrolled.status_code not in (201, 409):
                wrong.append(f"{name}: {enrolled and enrolled.text}")
                continue
            if enrolled.status_code == 201:
                acknowledged[identity] = (name, enrolled.json()["template_id"])
            found = ask("/identify", name)
            if found is None or found.json()["candidates"][0]["identity"] != identity:
                wrong.append(f"{name}: {found and found.text}")

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 12:
        threads[0].join(0.02)
    services[0].process.kill()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(acknowledged) >= 40 - CLIENTS
    for survivor in services[1:]:
        for identity, (_, template_id) in acknowledged.items():
            templates = survivor.http.get(f"/identities/{identity}").json()["templates"]
            assert [each["template_id"] for each in templates] == [template_id]
        counted = survivor.http.get("/galleries").json()["galleries"][0]
        assert counted["templates"] == counted["identities"] == 40
