"""The client and the commands with a running service, the shipped bundle and real photos."""

import asyncio
import io
import json
import time
from pathlib import Path

import pytest
from PIL import Image

from facetwin_client import AsyncFacetwin, Facetwin, NotFound, PhotoRefused, as_json
from tests.support.commands import run_command
from tests.support.fakes import encoded, landscape
from tests.support.server import Launch, Server
from training.data.photos import Photo

FIRST, SECOND = "Aaron_Peirsol/Aaron_Peirsol_0001.jpg", "Aaron_Peirsol/Aaron_Peirsol_0002.jpg"
OTHER = "Abba_Eban/Abba_Eban_0001.jpg"


@pytest.fixture
def photos(lfw: dict[str, Photo], tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two photos of one person, and one of another."""
    paths = tuple(tmp_path / f"{number}.jpg" for number in range(3))
    for path, name in zip(paths, (FIRST, SECOND, OTHER), strict=True):
        path.write_bytes(lfw[name].read())
    return paths[0], paths[1], paths[2]


def test_every_method_of_the_client_works(server: Server, photos: tuple[Path, Path, Path]) -> None:
    first, second, other = photos
    with Facetwin(server.url, "") as service, first.open("rb") as file:
        assert service.get_health().is_ready
        by_path = service.verify(first, second)
        assert by_path.verified
        assert by_path.similarity == service.verify(file, second.read_bytes()).similarity
        # Another JPEG of the same pixels.
        assert service.verify(Image.open(first), second).similarity == pytest.approx(by_path.similarity, abs=0.02)
        assert not service.verify(first, other, target_fmr=1e-4, face_selection="central").verified
        swimmer = {"sport": "swimming"}
        template, again = (
            service.enroll("aaron (p)", first, gallery="people", metadata=swimmer, key="k1") for _ in range(2)
        )
        assert template.template_id == again.template_id
        service.enroll("abba", other, gallery="people")
        found = service.identify(second, gallery="people", top_k=2)
        assert (found.decision, found.identity, found.gallery_size) == ("match", "aaron (p)", 2)
        assert [each.identity for each in service.list_identities("people", page_size=1)] == ["aaron (p)", "abba"]
        assert service.edit_identity("aaron (p)", name="aaron", gallery="people").metadata == {"sport": "swimming"}
        assert len(service.merge_identity("abba", "aaron", gallery="people").templates) == 2
        assert service.delete_template("aaron", template.template_id, gallery="people").template_ids
        assert service.delete_identity("aaron", gallery="people").erasure.complete
        assert sum(each.templates for each in service.list_galleries()) == 0
        with pytest.raises(NotFound):
            service.get_identity("aaron", gallery="people")
        assert len(service.embed(first).embedding) == service.get_model().embedding_dim
        assert len(service.detect(first).faces) >= 1
        with pytest.raises(PhotoRefused) as refused:
            service.embed(io.BytesIO(encoded(landscape(), "JPEG")))
        assert refused.value.code == "no_face_found"


def test_the_answers_lose_nothing(server: Server, photos: tuple[Path, Path, Path]) -> None:
    with Facetwin(server.url, "") as service:
        service.enroll("lossless", photos[0], expires_at=None, if_exists="replace")
        person, model = service.get_identity("lossless"), service.get_model()
        service.delete_identity("lossless")
    raw = server.http.get("/model").json()
    assert as_json(model) == raw
    assert person.templates[0].extra == person.extra == {}


def test_the_async_client_answers_alike(server: Server, photos: tuple[Path, Path, Path]) -> None:
    first, second, other = photos

    async def ask() -> tuple[float, list[str]]:
        async with AsyncFacetwin(server.url, "") as service:
            pairs = await asyncio.gather(*(service.verify(first, second) for _ in range(8)))
            await service.enroll("async", other, gallery="async")
            names = [each.identity async for each in service.list_identities("async")]
            await service.delete_gallery("async")
            return pairs[0].similarity, names

    similarity, names = asyncio.run(ask())
    with Facetwin(server.url, "") as service:
        assert service.verify(first, second).similarity == pytest.approx(similarity, abs=1e-5)
    assert names == ["async"]


def test_a_rate_limit_is_waited_for(launch: Launch) -> None:
    server = launch(FACETWIN_RATE_LIMITS="2/second")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(seconds)

    with Facetwin(server.url, "", sleep=wait) as service:
        for _ in range(5):
            service.list_galleries()
    server.stop()
    assert waits
    assert all(wait >= 1 for wait in waits)


def test_a_command_answers_the_same_with_and_without_a_service(
    server: Server, photos: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, other = map(str, photos)
    monkeypatch.chdir(tmp_path)
    asked = json.loads(run_command("verify", first, second, "--url", server.url, "--json").stdout)
    alone = json.loads(run_command("verify", first, second, "--local", "--json").stdout)
    assert alone["similarity"] == pytest.approx(asked["similarity"], abs=1e-4)
    assert {name for name in alone if name != "timings_ms"} == {name for name in asked if name != "timings_ms"}
    assert not (tmp_path / "data").exists()
    run_command("enroll", "aaron", first, "--local")
    assert run_command("identify", second, "--local").stdout.startswith("aaron\n")
    run_command("identify", other, "--local", exit_code=1)
    assert (tmp_path / "data" / "gallery.db").exists()
