"""A real browser for the tests of the page: a Chromium that is installed on the machine."""

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect, sync_playwright

# The first has no windows at all, starts fastest, and is the smallest to install.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WAIT_MS = 20_000
HOSTS = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # no other host can be reached, so the browser's own calls go nowhere
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")  # a test picture without a face
REFUSED = "Failed to load resource:"  # the browser logs it for every problem, wanted or not

DROP = """([name, content, target, kind]) => {
  const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: "image/jpeg" }));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelectorAll(target)[0].dispatchEvent(event);
}"""


def find_chromium() -> str:
    """Returns the browser's path. Without one the test is skipped, or fails if FACETWIN_REQUIRE_DATA=1."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    message = f"no browser: none of {', '.join(NAMES)} is installed; on Debian: apt-get install chromium-headless-shell"
    if os.environ.get("FACETWIN_REQUIRE_DATA") == "1":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """Runs the browser without a window."""
    path = find_chromium()
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        # As root, as in most containers, Chromium refuses its own sandbox.
        browser = playwright.chromium.launch(
            executable_path=path,
            chromium_sandbox=os.geteuid() != 0,
            args=[f"--host-resolver-rules={HOSTS}", *CAMERA],
        )
        yield browser
        browser.close()


@contextmanager
def watched_page(browser: Browser, url: str, **options: object) -> Iterator[Page]:
    """Opens the page in a profile of its own. At the end, fails if it asked another host, or if anything was wrong."""
    origin = f"http://{urlsplit(url).netloc}/"
    context: BrowserContext = browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(WAIT_MS)
    wrong: list[str] = []
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("h1")
    yield page
    context.close()
    assert asked
    assert [each for each in asked if not each.startswith(origin)] == []
    assert [each for each in wrong if not each.startswith(REFUSED)] == []


def give(page: Page, content: bytes, target: str, kind: str) -> None:
    """Drops a photo on an element, or pastes it while the element has the focus. `kind` is drop or paste."""
    page.evaluate(DROP, ["photo.jpg", base64.b64encode(content).decode(), target, kind])


def choose(page: Page, label: str, content: bytes, name: str = "photo.jpg") -> None:
    """Chooses a file with the button of the photo field with this label."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("region", name=label).get_by_role("button", name="Choose").click()
    chooser.value.set_files(FilePayload(name=name, mimeType="image/jpeg", buffer=content))
