"""Model: the figures of the card, and the slider."""

from playwright.sync_api import Page, expect

from tests.support.server import Server


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def test_the_slider_shows_the_rates_of_every_operating_point(page: Page, service: Server) -> None:
    page.get_by_role("link", name="Model").click()
    slider = page.get_by_role("slider")
    card = service.http.get("/model").json()
    points = card["calibration"]["points"]
    usual = next(each for each in points if each["fmr"] <= card["calibration"]["default_fmr"])
    expect(page.locator(".tile-value").first).to_have_text("0.010 %")
    expect(page.locator(".tile-value").last).to_have_text(percent(usual["fnmr"]))
    slider.focus()
    page.keyboard.press("End")
    expect(page.locator(".threshold")).to_have_text(f"{points[-1]['threshold']:.3f}")
    page.keyboard.press("Home")
    expect(page.locator(".threshold")).to_have_text(f"{points[0]['threshold']:.3f}")
    first = points[0]
    expect(page.locator(".tile-value").first).to_have_text(percent(first["fmr"]))
    passed = f"1 in {1 / first['fmr']:.0f} strangers pass"
    words = f"threshold {first['threshold']:.3f}: {passed}, {percent(first['fnmr'])} are missed"
    expect(slider).to_have_attribute("aria-valuetext", words.replace(" %", "\xa0%"))


def test_the_groups_and_the_card_are_shown(page: Page, service: Server) -> None:
    page.get_by_role("link", name="Model").click()
    groups = page.get_by_role("table", name="Strangers who pass, by group")
    card = service.http.get("/model").json()
    expect(groups.get_by_role("row")).to_have_count(1 + len(card["evaluation"]["strangers"]["groups"]))
    expect(groups.get_by_role("row").nth(1)).to_contain_text("children 2-12")
    expect(page.get_by_role("region", name="The model card")).to_contain_text(card["encoder_id"])
