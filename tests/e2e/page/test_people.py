"""Enroll, identify, rename, merge and erase: the life of an enrolled person."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.support.browser import choose
from tests.support.fakes import encoded
from tests.support.server import Server


@pytest.fixture(autouse=True)
def nobody(service: Server) -> None:
    """Empties the gallery."""
    service.http.delete("/galleries/default")


def open_view(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Views").get_by_role("link", name=name).click()


def enroll(page: Page, name: str, photo: bytes) -> None:
    open_view(page, "Enroll")
    choose(page, "Photo", photo)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Enroll", exact=True).click()


def show(page: Page, name: str) -> Any:
    """Opens a person in the list. An open one stays open when the list is loaded again."""
    item = page.locator(".person-item", has_text=name)
    if not item.locator("details").evaluate("each => each.open"):
        item.locator("summary").click()
    return item


def test_an_enrolled_person_is_identified_and_a_stranger_is_not(page: Page, photos: dict[str, bytes]) -> None:
    open_view(page, "Identify")
    expect(page.get_by_text("Nobody is enrolled in this gallery yet")).to_be_visible()
    enroll(page, "<b>Aaron", photos["aaron"])
    expect(page.get_by_role("heading", name="<b>Aaron is enrolled")).to_be_visible()
    open_view(page, "Identify")
    choose(page, "Photo", photos["aaron2"])
    expect(page.get_by_role("heading", name="<b>Aaron")).to_be_visible()
    expect(page.get_by_text("Expect that of 100 strangers, one is taken for somebody.")).to_be_visible()
    page.get_by_role("button", name="Remove the photo").click()
    choose(page, "Photo", photos["abba"])
    expect(page.get_by_role("heading", name="Unknown")).to_be_visible()
    assert "Aaron" not in page.url


def test_a_taken_name_is_offered_the_photo(page: Page, service: Server, photos: dict[str, bytes]) -> None:
    service.post("/enroll", {"image": photos["aaron"]}, identity="aaron")
    enroll(page, "aaron", photos["aaron2"])
    expect(page.get_by_role("alert")).to_contain_text("This name is taken")
    page.get_by_role("button", name="Add this photo").click()
    expect(page.get_by_role("heading", name="aaron has one more photo")).to_be_visible()
    assert len(service.http.get("/identities/aaron").json()["templates"]) == 2


def test_without_a_photo_nothing_is_sent(page: Page, service: Server) -> None:
    open_view(page, "Enroll")
    page.get_by_label("Name").fill("nobody")
    page.get_by_role("button", name="Enroll", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Put in a photo of the person first.")
    assert service.http.get("/identities").json()["identities"] == []


def test_consent_and_expiry_are_stored(page: Page, service: Server, photos: dict[str, bytes]) -> None:
    open_view(page, "Enroll")
    page.get_by_text("Consent and expiry").click()
    page.get_by_label("Where the consent is recorded").fill("form 7")
    page.get_by_label("Never match this photo after").fill("2040-05-01")
    enroll(page, "aaron", photos["aaron"])
    expect(page.get_by_role("heading", name="aaron is enrolled")).to_be_visible()
    (template,) = service.http.get("/identities/aaron").json()["templates"]
    assert template["consent_ref"] == "form 7"
    assert template["expires_at"].startswith(("2040-05-01", "2040-05-02"))
    open_view(page, "People")
    expect(show(page, "aaron")).to_contain_text("consent: form 7")


def test_a_person_is_renamed_merged_and_erased_with_a_receipt(
    page: Page, service: Server, photos: dict[str, bytes]
) -> None:
    service.post("/enroll", {"image": photos["aaron"]}, identity="peirsol")
    service.post("/enroll", {"image": photos["aaron2"]}, identity="the swimmer")
    open_view(page, "People")
    show(page, "peirsol").get_by_role("button", name="Rename peirsol").click()
    page.get_by_label("New name").fill("the swimmer")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("This name is taken")
    page.get_by_label("New name").fill("Aaron / P")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("has a slash")
    page.get_by_label("New name").fill("Aaron?P#1")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="peirsol is now Aaron?P#1")).to_be_visible()

    show(page, "the swimmer").get_by_role("button", name="Merge the swimmer with another person").click()
    page.get_by_label("Name that stays").fill("Aaron?P#1")
    page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    expect(page.get_by_role("heading", name="the swimmer is merged into Aaron?P#1")).to_contain_text("2 photos")
    expect(page.get_by_text("1 person, 2 photos")).to_be_visible()

    show(page, "Aaron?P#1").get_by_role("button", name="Erase photo 2 of Aaron?P#1").click()
    page.get_by_role("button", name="Erase the photo").click()
    expect(page.get_by_role("heading", name="One photo of Aaron?P#1 is erased")).to_be_visible()

    show(page, "Aaron?P#1").get_by_role("button", name="Erase Aaron?P#1").click()
    page.get_by_role("button", name="Cancel").click()
    assert len(service.http.get("/identities").json()["identities"]) == 1
    page.get_by_role("button", name="Erase Aaron?P#1").click()
    page.get_by_role("button", name="Erase for good").click()
    expect(page.locator(".receipt")).to_contain_text("1 template deleted from the gallery default")
    expect(page.locator(".receipt")).to_contain_text("Nothing of it is left in the database")
    expect(page.get_by_role("heading", name="Nobody is enrolled here yet")).to_be_visible()
    assert service.http.get("/identities").json()["identities"] == []


def test_many_people_are_listed_page_by_page(page: Page, service: Server, photos: dict[str, bytes]) -> None:
    for number in range(21):
        service.post("/enroll", {"image": photos["abba"]}, identity=f"person {number:02}")
    open_view(page, "People")
    expect(page.locator(".person-item")).to_have_count(20)
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".person-item")).to_have_count(1)
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_role("button", name="Previous").click()
    expect(page.locator(".person-item").first).to_contain_text("person 00")


def test_everybody_on_a_photo_is_shown_where_the_service_identifies_everybody(
    page: Page, service: Server, photos: dict[str, bytes]
) -> None:
    service.post("/enroll", {"image": photos["aaron"]}, identity="aaron")
    sides = [np.asarray(Image.open(io.BytesIO(photos[name]))) for name in ("aaron2", "abba")]
    both = encoded(Image.fromarray(np.hstack(sides)), "JPEG", quality=95)
    found = {name: service.post("/identify", {"image": photos[name]}).json() for name in ("aaron2", "abba")}
    sent: list[bytes] = []

    def describe(route: Route) -> None:
        schema: Any = {"properties": {"faces": {}}}
        body = {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}}}
        route.fulfill(json={"paths": {"/identify": {"post": body}}})

    def identify(route: Route) -> None:
        sent.append(route.request.post_data_buffer or b"")
        route.fulfill(json=found["aaron2"] | {"faces": [found["aaron2"], found["abba"]]})

    page.route("**/openapi.json", describe)
    page.route("**/identify", identify)
    open_view(page, "Identify")
    choose(page, "Photo", both)
    expect(page.get_by_role("heading", name="aaron")).to_be_visible()
    expect(page.get_by_role("heading", name="2: Unknown")).to_be_visible()
    assert b'name="faces"\r\n\r\nall' in sent[0]
