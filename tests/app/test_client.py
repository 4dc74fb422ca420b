from pathlib import Path

import httpx
import pytest

from app.client import ApiError, Facetwin
from tests.support.fakes import BLUE, RED, REDDISH, picture
from tests.support.service import Start


@pytest.fixture
def service(start: Start) -> Facetwin:
    return Facetwin("http://127.0.0.1", transport=start()._transport)


def test_every_endpoint_can_be_called(service: Facetwin, tmp_path: Path) -> None:
    photo = tmp_path / "ruby.png"
    photo.write_bytes(picture(RED))
    assert service.verify(photo, picture(REDDISH), target_fmr=0.001)["verified"]
    assert service.enroll("ruby", str(photo), metadata={"badge": 1})["identity"] == "ruby"
    service.enroll("azure", picture(BLUE))
    assert service.identify(photo)["identity"] == "ruby"
    assert [each["identity"] for each in service.list_identities()] == ["azure", "ruby"]
    assert service.edit_identity("ruby", name="ruby r", metadata={"badge": 2})["metadata"] == {"badge": 2}
    again = [service.enroll("rubi", photo, key="k1")["template_id"] for _ in range(2)]
    assert again[0] == again[1]
    assert len(service.merge_identity("rubi", "ruby r")["templates"]) == 2
    service.edit_identity("ruby r", name="ruby")
    assert service.delete_identity("ruby")["identities"] == ["ruby"]
    assert len(service.embed(photo)["embedding"]) == 3
    assert len(service.detect(photo)["faces"]) == 1
    assert service.get_model()["name"] == "fake"


def test_people_are_enrolled_from_several_photos_verified_by_name_and_rejected(service: Facetwin) -> None:
    assert len(service.enroll("ruby", [picture(RED), picture(REDDISH)])["templates"]) == 2
    assert service.verify_identity(picture(RED), "ruby", target_fmr=0.1)["verified"]
    assert len(list(service.list_templates("ruby"))) == 2
    assert [each["identity"] for each in service.list_identities(prefix="ru")] == ["ruby"]
    assert list(service.list_identities(prefix="x")) == []
    answer = service.embed(picture(BLUE))
    embedding, encoder = answer["embedding"], answer["model"]["encoder_id"]
    assert service.identify_embedding(embedding, encoder, top_k=1)["candidates"][0]["identity"] == "ruby"
    first = service.reject_embedding("ruby", embedding, encoder)["rejection_id"]
    second = service.reject("ruby", picture((200, 60, 10)))["rejection_id"]
    assert [each["rejection_id"] for each in service.list_rejections("ruby")] == [first, second]
    assert service.identify(picture(BLUE))["candidates"][0]["rejected"]
    assert service.delete_rejection("ruby", first)["rejection_id"] == first
    assert not service.identify(picture(BLUE), faces="all")["faces"][0]["candidates"][0]["rejected"]


def test_a_refused_request_raises_an_error_with_its_code(service: Facetwin) -> None:
    with pytest.raises(ApiError, match="No face was found") as refused:
        service.embed(picture((0, 0, 0)))
    assert (refused.value.status, refused.value.code) == (422, "no_face_found")


def test_an_unreachable_service_is_named() -> None:
    with Facetwin("http://127.0.0.1:9") as nowhere, pytest.raises(ApiError, match=r"127\.0\.0\.1:9"):
        nowhere.get_model()


def test_a_server_that_is_not_facetwin_is_named() -> None:
    other = httpx.MockTransport(lambda request: httpx.Response(200, text="<html>"))
    with Facetwin("http://x", transport=other) as service, pytest.raises(ApiError, match="not a facetwin service"):
        service.get_model()


def test_an_invalid_url_is_named() -> None:
    with pytest.raises(ApiError, match="is not a URL"):
        Facetwin("http://\x01")
