"""A service that asks for a key, behind a prefix: the page is open, its calls are not."""

import httpx
from playwright.sync_api import Browser, Page, expect

from tests.e2e.page.conftest import KEY
from tests.support.browser import choose, watched_page
from tests.support.fakes import RED, REDDISH, picture


def enter_key(page: Page, key: str) -> None:
    page.locator("#key-button").click()
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Use this key").click()


def test_the_page_asks_for_a_key_and_keeps_it_for_its_tab_only(browser: Browser, guarded_url: str) -> None:
    with watched_page(browser, guarded_url) as page:
        expect(page.get_by_role("alert")).to_contain_text("The service asks for a key")
        expect(page.get_by_role("button", name="Key needed")).to_be_visible()
        enter_key(page, "a-wrong-key-of-many")
        expect(page.get_by_role("alert")).to_be_visible()
        enter_key(page, KEY)
        expect(page.get_by_role("button", name="Key is set")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
        choose(page, "First photo", picture(RED))
        choose(page, "Second photo", picture(REDDISH))
        expect(page.get_by_role("heading", name="The same person")).to_be_visible()
        page.reload()
        expect(page.get_by_role("button", name="Key is set")).to_be_visible()
        assert KEY not in page.url
        assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
        other = page.context.new_page()
        other.goto(guarded_url)
        expect(other.get_by_role("button", name="Key needed")).to_be_visible()
        page.locator("#key-button").click()
        page.get_by_role("button", name="Forget the key").click()
        expect(page.get_by_role("button", name="Key", exact=True)).to_be_visible()
        page.get_by_role("link", name="People").click()
        expect(page.get_by_role("alert")).to_contain_text("The service asks for a key")


def test_the_prefix_without_a_slash_leads_to_the_page(browser: Browser, guarded_url: str) -> None:
    assert httpx.get(guarded_url.rstrip("/")).headers["location"] == "/faces/"
    with watched_page(browser, guarded_url) as page:
        page.goto(guarded_url.rstrip("/"))
        expect(page.get_by_role("heading", name="Do two photos show the same person?")).to_be_visible()
