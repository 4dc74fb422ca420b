from pathlib import Path

import httpx
import pytest

from app.client import ApiError, Facetwin
from tests.app.api.conftest import Start, start  # noqa: F401 - a fixture
from tests.support.fakes import BLUE, RED, REDDISH, picture


@pytest.fixture
def service(start: Start) -> Facetwin:  # noqa: F811
    return Facetwin("http://testserver", transport=start()._transport)


def test_the_whole_walk(service: Facetwin, tmp_path: Path) -> None:
    photo = tmp_path / "ruby.png"
    photo.write_bytes(picture(RED))
    assert service.verify(photo, picture(REDDISH), target_fmr=0.001)["verified"]
    assert service.enroll("ruby", str(photo), metadata={"badge": 1})["identity"] == "ruby"
    service.enroll("azure", picture(BLUE))
    assert service.identify(photo)["identity"] == "ruby"
    assert [each["identity"] for each in service.identities()] == ["azure", "ruby"]
    assert service.edit("ruby", name="ruby r", metadata={"badge": 2})["metadata"] == {"badge": 2}
    again = [service.enroll("rubi", photo, key="k1")["template_id"] for _ in range(2)]
    assert again[0] == again[1]
    assert len(service.merge("rubi", "ruby r")["templates"]) == 2
    service.edit("ruby r", name="ruby")
    assert service.forget("ruby")["identities"] == ["ruby"]
    assert len(service.embed(photo)["embedding"]) == 3
    assert len(service.detect(photo)["faces"]) == 1
    assert service.model()["name"] == "fake"


def test_a_refusal_is_an_error_with_its_code(service: Facetwin) -> None:
    with pytest.raises(ApiError, match="No face was found") as refused:
        service.embed(picture((0, 0, 0)))
    assert (refused.value.status, refused.value.code) == (422, "no_face_found")


def test_a_service_that_is_not_there_is_named() -> None:
    with Facetwin("http://127.0.0.1:9") as nowhere, pytest.raises(ApiError, match=r"127\.0\.0\.1:9"):
        nowhere.model()


def test_something_else_at_the_address_is_named() -> None:
    other = httpx.MockTransport(lambda request: httpx.Response(200, text="<html>"))
    with Facetwin("http://x", transport=other) as service, pytest.raises(ApiError, match="no facetwin"):
        service.model()
