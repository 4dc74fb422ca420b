from fastapi.testclient import TestClient

from tests.app.api.test_faces import enroll, identify
from tests.fakes import BLUE, RED, REDDISH, picture


def test_looking_and_erasing(client: TestClient) -> None:
    template = enroll(client, "ruby", picture(RED)).json()["template_id"]
    enroll(client, "azure", picture(BLUE))
    page = client.get("/identities", params={"limit": 1}).json()
    assert [each["identity"] for each in page["identities"]] == ["azure"]
    rest = client.get("/identities", params={"limit": 1, "after": page["next_after"]}).json()
    assert [each["identity"] for each in rest["identities"]] == ["ruby"]
    receipt = client.delete("/identities/ruby").json()
    assert (receipt["identities"], receipt["template_ids"]) == (["ruby"], [template])
    assert identify(client, picture(REDDISH)).json()["decision"] == "unknown"


def test_one_photo_of_a_person_can_go_alone(client: TestClient) -> None:
    first = enroll(client, "ruby", picture(RED)).json()["template_id"]
    enroll(client, "ruby", picture(REDDISH), if_exists="add")
    assert client.delete(f"/identities/ruby/templates/{first}").json()["identities"] == []
    assert len(client.get("/identities/ruby").json()["templates"]) == 1
    gone = client.delete(f"/identities/ruby/templates/{first}")
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_template")


def test_galleries_are_listed_searched_and_erased_apart(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED), gallery="staff")
    assert identify(client, picture(RED)).json()["decision"] == "unknown"
    assert identify(client, picture(RED), gallery="staff").json()["identity"] == "ruby"
    listed = {each["gallery"]: each["templates"] for each in client.get("/galleries").json()["galleries"]}
    assert listed == {"default": 0, "staff": 1}
    assert client.delete("/galleries/staff").json()["identities"] == ["ruby"]
    assert identify(client, picture(RED), gallery="staff").status_code == 404


def test_a_name_with_spaces_and_accents_is_one_name(client: TestClient) -> None:
    enroll(client, " Zoë van der Berg ", picture(RED))
    assert client.get("/identities/Zoë van der Berg").json()["identity"] == "Zoë van der Berg"
