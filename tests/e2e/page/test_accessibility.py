"""Everybody can use the page: by keyboard, with a screen reader, on a phone, in the dark, without motion."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.support.browser import choose, watched_page
from tests.support.server import Server

VIEWS = ("Compare", "Enroll", "Identify", "People", "Model")


def check_with_axe(page: Page) -> None:
    """Fails with what axe-core finds against WCAG 2.2 A and AA and its best practices."""
    found: Any = Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found] == []


@pytest.mark.parametrize(("scheme", "size"), [("light", (1200, 900)), ("dark", (390, 844))], ids=["desktop", "phone"])
def test_axe_finds_no_fault_in_any_view(
    browser: Browser, service: Server, photos: dict[str, bytes], scheme: str, size: tuple[int, int]
) -> None:
    service.post("/enroll", {"image": photos["colin"]}, identity="colin", if_exists="replace")
    viewport = {"width": size[0], "height": size[1]}
    options: Any = {"color_scheme": scheme, "viewport": viewport, "reduced_motion": "reduce"}
    with watched_page(browser, f"{service.url}/", **options) as page:
        for view in VIEWS:
            page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
            expect(page.locator(".busy")).to_have_count(0)
            if view == "Compare":
                choose(page, "First photo", photos["aaron"])
                choose(page, "Second photo", photos["aaron2"])
                page.get_by_text("Numbers").click()
            elif view == "Identify":
                choose(page, "Photo", photos["colin"])
                expect(page.locator(".candidates")).to_be_visible()
            elif view == "Enroll":
                choose(page, "Photo", photos["colin"])
                page.get_by_label("Name").fill("colin")
                page.get_by_role("button", name="Enroll", exact=True).click()
                expect(page.get_by_role("alert")).to_be_visible()
            elif view == "People":
                page.locator("summary").first.click()
            check_with_axe(page)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        page.locator("#key-button").click()
        check_with_axe(page)


def test_a_narrow_phone_needs_no_sideways_scrolling(browser: Browser, service: Server) -> None:
    with watched_page(browser, f"{service.url}/", viewport={"width": 320, "height": 600}) as page:
        for view in VIEWS:
            page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
            expect(page.locator(".busy")).to_have_count(0)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view


def test_everything_can_be_done_with_the_keyboard(page: Page, service: Server, photos: dict[str, bytes]) -> None:
    service.http.delete("/galleries/default")
    service.post("/enroll", {"image": photos["aaron"]}, identity="aaron")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    for name in ("aaron", "aaron2"):
        with page.expect_file_chooser() as chooser:
            press_until_focused(page, "Choose the first photo" if name == "aaron" else "Choose the second photo")
            page.keyboard.press("Enter")
        chooser.value.set_files(FilePayload(name="photo.jpg", mimeType="image/jpeg", buffer=photos[name]))
    expect(page.get_by_role("heading", name="The same person")).to_be_visible()

    page.keyboard.press("Home")
    press_until_focused(page, "People", backwards=True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="People")).to_be_focused()
    expect(page.locator(".person-item")).to_have_count(1)
    press_until_focused(page, "aaron")
    page.keyboard.press("Enter")
    press_until_focused(page, "Erase aaron")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Erase aaron")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".receipt")).to_be_focused()
    assert service.http.get("/identities").json()["identities"] == []


def press_until_focused(page: Page, name: str, *, backwards: bool = False) -> None:
    """Presses Tab until the element whose label or text begins with the name has the focus, and can be seen to."""
    for _ in range(40):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        label, outline = page.evaluate(
            """() => { const each = document.activeElement;
              return [each.getAttribute("aria-label") ?? each.innerText, getComputedStyle(each).outlineStyle] }"""
        )
        assert outline != "none", label
        if name in label.strip().splitlines():
            return
    pytest.fail(f"Tab does not lead to {name!r}")


def test_nothing_moves_for_those_who_want_that(browser: Browser, service: Server) -> None:
    for motion, moves in (("reduce", False), ("no-preference", True)):
        options: Any = {"reduced_motion": motion}
        with watched_page(browser, f"{service.url}/", **options) as page:
            duration = page.evaluate("getComputedStyle(document.querySelector('.tabs a')).transitionDuration")
            assert (duration != "0s") == moves
