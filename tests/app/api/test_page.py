"""The page is open, revalidated, confined by its policy, works below a prefix, and can be switched off."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.api.page import WEB
from tests.support.problems import check_problem
from tests.support.service import Start

FILES = sorted(path.relative_to(WEB).as_posix() for path in WEB.rglob("*") if path.is_file())
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html"}


def test_the_page_and_its_files_have_right_types(client: TestClient) -> None:
    assert client.get("/").text.startswith("<!doctype html>")
    assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"
    assert len(FILES) > 20
    for name in FILES:
        answer = client.get(f"/page/{name}")
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, TYPES[Path(name).suffix])


@pytest.mark.parametrize("path", ["/", "/page/main.js"])
def test_a_browser_asks_again_with_the_etag(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["cache-control"] == "no-cache"
    known = {"if-none-match": answer.headers["etag"]}
    again = client.get(path, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path, headers={"if-none-match": '"another"'}).status_code == 200
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.content))


def test_the_policy_allows_nothing_but_the_services_own_files(client: TestClient) -> None:
    for path in ("/", "/page/main.js"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert not re.search(r"unsafe|https?:|\*|data:|blob:", policy)


def test_the_files_hold_nothing_that_the_policy_would_block() -> None:
    for name in FILES:
        text = (WEB / name).read_text()
        assert not re.search(r"\bstyle=|\bon\w+=\"|<script>|<style|innerHTML|\beval\(", text), name
        assert re.findall(r"https?://[^\s\"')]+", text.replace("http://127.0.0.1:8000/", "")) in (
            [],
            ["http://www.w3.org/2000/svg"],
        ), name


def test_every_link_of_the_page_and_every_import_leads_to_a_file(client: TestClient) -> None:
    links = re.findall(r'(?:src|href)="([^"#]+)"', (WEB / "index.html").read_text())
    assert len(links) > 8
    for link in links:
        assert not link.startswith("/"), "an absolute link would ignore the prefix"
        assert client.get(f"/{link}").status_code == 200
    for name in FILES:
        if name.endswith(".js"):
            for imported in re.findall(r'^import .* from "([^"]+)";', (WEB / name).read_text(), re.MULTILINE):
                assert (WEB / name).parent.joinpath(imported).is_file(), (name, imported)


def test_the_page_needs_no_key_and_counts_against_no_limit(start: Start) -> None:
    client = start(api_keys="k" * 20, rate_limits="1/hour")
    for _ in range(3):
        assert client.get("/").status_code == 200
        assert client.get("/page/main.js").status_code == 200
    check_problem(client.get("/model"), 401, "unauthorized", "Bearer")
    assert client.post("/").status_code == 405


@pytest.mark.parametrize("path", ["/page/", "/page/nothing.js", "/page/../settings.py", "/page/%2e%2e/settings.py"])
def test_nothing_but_the_files_is_served(client: TestClient, path: str) -> None:
    check_problem(client.get(path), 404, "not_found", "")


@pytest.mark.parametrize("prefix", ["", "/faces"])
def test_the_page_works_below_a_prefix(start: Start, prefix: str) -> None:
    client = start(root_path="/faces")
    assert client.get(f"{prefix}/").status_code == 200
    assert client.get(f"{prefix}/page/main.js").status_code == 200
    alone = client.get("/faces", follow_redirects=False)
    assert (alone.status_code, alone.headers["location"]) == (308, "/faces/")


def test_the_page_can_be_switched_off(start: Start) -> None:
    client = start(page=False)
    for path in ("/", "/page/main.js"):
        check_problem(client.get(path), 404, "not_found", "")
    assert client.get("/docs").status_code == 200


def test_a_foreign_name_gets_no_page(client: TestClient) -> None:
    check_problem(client.get("/", headers={"host": "evil.example"}), 403, "foreign_request", "FACETWIN_ALLOWED_HOSTS")
