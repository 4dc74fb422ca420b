"""Model: the figures of the card, and the slider."""

from playwright.sync_api import Page, expect

from tests.support.server import Server


def test_the_slider_shows_the_rates_of_every_operating_point(page: Page, service: Server) -> None:
    page.get_by_role("link", name="Model").click()
    slider = page.get_by_role("slider")
    card = service.http.get("/model").json()
    points = card["calibration"]["points"]
    expect(page.locator(".tile-value").first).to_have_text("0.010 %")
    expect(page.locator(".tile-value").last).to_have_text("5.0 %")
    slider.focus()
    page.keyboard.press("End")
    expect(page.locator(".threshold")).to_have_text(f"{points[-1]['threshold']:.3f}")
    page.keyboard.press("Home")
    expect(page.locator(".threshold")).to_have_text(f"{points[0]['threshold']:.3f}")
    expect(page.locator(".tile-value").first).to_have_text("7.9 %")
    expect(slider).to_have_attribute("aria-valuetext", "threshold 0.165: 1 in 13 strangers pass, 1.1\xa0% are missed")


def test_the_groups_and_the_card_are_shown(page: Page, service: Server) -> None:
    page.get_by_role("link", name="Model").click()
    groups = page.get_by_role("table", name="Strangers who pass, by group")
    card = service.http.get("/model").json()
    expect(groups.get_by_role("row")).to_have_count(1 + len(card["evaluation"]["strangers"]["groups"]))
    expect(groups.get_by_role("row").nth(1)).to_contain_text("children 2-12")
    expect(page.get_by_role("region", name="The model card")).to_contain_text(card["encoder_id"])
