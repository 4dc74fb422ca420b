"""Compare: two photos, however they get into the page, and what the answer says."""

import numpy as np
from playwright.sync_api import Page, expect

from model.alignment import WIDENED, similarity_transform, widen
from tests.support.browser import choose, give
from tests.support.fakes import encoded, landscape
from tests.support.server import Server


def test_two_photos_of_one_person_are_the_same_person(page: Page, service: Server, photos: dict[str, bytes]) -> None:
    choose(page, "First photo", photos["aaron"])
    choose(page, "Second photo", photos["aaron2"])
    expect(page.get_by_role("heading", name="The same person")).to_be_visible()
    answer = service.post("/verify", {"image1": photos["aaron"], "image2": photos["aaron2"]}).json()
    gauge = page.locator(".gauge")
    expect(gauge).to_have_attribute(
        "aria-label",
        f"Similarity {answer['similarity']:.3f}, threshold {answer['threshold']:.3f}: passes",
    )
    expect(page.locator(".meaning")).to_contain_text("of 10,000 pairs of strangers, one passes here")
    expect(page.get_by_role("img", name="First photo: One face found")).to_be_visible()
    expect(page.locator(".crops canvas")).to_have_count(2)
    expect(page.locator("#announcer")).to_contain_text("The same person. Similarity 0.8")


def test_the_box_is_drawn_where_the_service_found_the_face(
    page: Page, service: Server, photos: dict[str, bytes]
) -> None:
    for label in ("First photo", "Second photo"):
        choose(page, label, photos["aaron"])
    page.wait_for_selector(".verdict")
    left, top, _, bottom = service.post("/detect", {"image": photos["aaron"]}).json()["faces"][0]["box"]
    colour = page.evaluate(
        """([x, y]) => { const canvas = document.querySelector(".drop-zone canvas"), scale = canvas.width / 250;
          return [...canvas.getContext("2d").getImageData(x * scale, y * scale, 1, 1).data] }""",
        [left, (top + bottom) / 2],
    )
    assert colour[:3] == [0x7E, 0xE2, 0xA8]


def test_two_photos_of_different_people_are_not(page: Page, photos: dict[str, bytes]) -> None:
    give(page, photos["aaron"], ".drop-zone", "drop")
    expect(page.locator(".waiting")).to_have_text("One more photo, and they are compared.")
    give(page, photos["abba"], "h1", "paste")
    expect(page.get_by_role("heading", name="Not the same person")).to_be_visible()
    expect(page.locator(".meaning")).to_contain_text("of 100 pairs of photos of one person, 5 do not pass here")


def test_a_stricter_choice_raises_the_threshold(page: Page, photos: dict[str, bytes]) -> None:
    choose(page, "First photo", photos["aaron"])
    choose(page, "Second photo", photos["abba"])
    page.wait_for_selector(".verdict")
    before = page.locator(".gauge-limit").inner_text()
    page.get_by_label("Strictness").focus()
    page.get_by_label("Strictness").select_option(label="1 in 100,000 strangers passes")
    expect(page.locator(".meaning")).to_contain_text("of 100,000 pairs of strangers, one passes")
    assert page.locator(".gauge-limit").inner_text() > before
    expect(page.get_by_label("Strictness")).to_be_focused()
    page.get_by_role("button", name="Start over").click()
    expect(page.locator(".verdict")).to_have_count(0)


def test_a_photo_without_a_face_is_named_where_it_is(page: Page, service: Server, photos: dict[str, bytes]) -> None:
    scene = encoded(landscape(), "JPEG")
    choose(page, "First photo", photos["aaron"])
    choose(page, "Second photo", scene)
    panel = page.get_by_role("region", name="Second photo").get_by_role("alert")
    detail = service.post("/verify", {"image1": photos["aaron"], "image2": scene}).json()["detail"]
    expect(panel).to_contain_text("No face was found".lower())
    expect(panel).to_contain_text(detail)
    expect(panel).to_contain_text("What to do: Use a photo in which a face is upright")
    page.get_by_role("button", name="Remove the second photo").click()
    expect(panel).to_have_count(0)


def test_a_file_that_is_no_photo_is_sent_and_refused_by_the_service(page: Page, photos: dict[str, bytes]) -> None:
    choose(page, "First photo", b"not a photo", "notes.heic")
    expect(page.locator(".photo-unseen").first).to_contain_text("notes.heic cannot be shown by this browser")
    choose(page, "Second photo", photos["aaron"])
    expect(page.get_by_role("region", name="First photo").get_by_role("alert")).to_contain_text("no photo that the")


def test_the_camera_takes_a_photo(page: Page) -> None:
    page.get_by_role("button", name="Take the first photo with the camera").click()
    shutter = page.get_by_role("button", name="Take the photo", exact=True)
    expect(shutter).to_be_enabled()
    shutter.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("img", name="First photo")).to_be_visible()


def test_a_service_that_is_gone_is_said_to_be(page: Page, photos: dict[str, bytes]) -> None:
    page.wait_for_function("document.querySelector('.tools select').options.length > 1")
    page.route("**/verify", lambda route: route.abort("blockedbyclient"))
    choose(page, "First photo", photos["aaron"])
    choose(page, "Second photo", photos["aaron2"])
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached")
    page.unroute("**/verify")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="The same person")).to_be_visible()


def test_crops_are_aligned_as_the_service_aligns_them(page: Page, service: Server) -> None:
    template = np.array(service.http.get("/model").json()["serving_template"])
    for angle in (0, 35, -140):
        turn = np.deg2rad(angle)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        landmarks = template @ rotation.T * 2.5 + [310, -20] + np.array([(3, 0), (0, -4), (2, 2), (-5, 1), (0, 3)])
        a, b, x, y = page.evaluate(
            "async (points) => (await import('/page/photos/alignment.js')).similarityTransform(...points)",
            [landmarks.tolist(), template.tolist()],
        )
        expected = similarity_transform(landmarks, template)
        np.testing.assert_allclose([[a, -b, x], [b, a, y]], expected, atol=1e-9)
        narrow = landmarks * [0.6, 1]  # as of a turned face
        adapted = page.evaluate(
            "async (given) => (await import('/page/photos/alignment.js')).adaptTemplate(...given)",
            [template.tolist(), narrow.tolist(), WIDENED],
        )
        np.testing.assert_allclose(adapted, widen(template, narrow), atol=1e-9)


def test_liveness_is_reported_and_a_photo_of_a_screen_refused(
    page: Page, service: Server, photos: dict[str, bytes]
) -> None:
    service.post("/detect", {"image": photos["aaron"]}, liveness="report")  # loads the networks, which takes seconds
    choose(page, "First photo", photos["aaron"])
    choose(page, "Second photo", photos["abba"])
    page.wait_for_selector(".verdict")
    expect(page.locator(".liveness")).to_have_count(0)
    page.get_by_label("Photo of a photo").select_option("report")
    expect(page.locator(".liveness")).to_have_count(2)
    words = page.locator(".liveness").all_inner_texts()
    assert all("looks live (score" in each or "looks like a photo of a photo" in each for each in words)
    refused = next(
        (label for label in ("First", "Second") if any(f"{label} photo: looks like" in each for each in words)), None
    )
    page.get_by_label("Photo of a photo").select_option("require")
    if refused:
        expect(page.get_by_text("could not be used. Replace it.")).to_be_visible()
    else:
        expect(page.locator(".verdict")).to_be_visible()
