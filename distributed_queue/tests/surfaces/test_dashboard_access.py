"""Who gets in, and that changes come from the dashboard's own pages only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from distributed_queue.tests.surfaces.dashboard_server import SAME_ORIGIN, Site, site

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "a-secret-key"


@pytest.fixture(scope="module")
def opened() -> Iterator[Site]:
    with site() as place:
        yield place


@pytest.fixture
def closed() -> Iterator[Site]:
    with site(api_key=KEY) as place:
        yield place


def test_without_a_key_everyone_sees_the_overview(opened: Site) -> None:
    assert "Overview" in opened.page("/")


def test_every_page_has_a_strict_policy_and_nothing_inline(opened: Site) -> None:
    answer = opened.client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers.get_list("referrer-policy") == ["same-origin"]
    assert "no-store" in answer.headers["cache-control"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?! defer src=)", answer.text)


def test_assets_are_compressed_and_kept_for_good(opened: Site) -> None:
    address = re.search(r'src="(/static/htmx[^"]+)"', opened.client.get("/").text)
    assert address is not None
    answer = opened.client.get(address[1])
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.text.startswith("var htmx=")


def test_with_a_key_set_pages_lead_to_the_sign_in_and_back(closed: Site) -> None:
    answer = closed.client.get("/?q=queue:mail", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2F%3Fq%3Dqueue%3Amail"
    assert "Sign in with an API key" in closed.page("/")
    assert "Overview" in closed.sign_in(KEY)
    assert closed.client.get("/").url.path == "/"


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(closed: Site) -> None:
    closed.client.follow_redirects = False
    token = re.search(r'name="token" value="(\w+)"', closed.client.get("/sign-in").text)
    assert token is not None
    answer = closed.client.post("/sign-in", data={"token": token[1], "key": KEY}, headers=SAME_ORIGIN)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age=" in cookie
    assert KEY not in cookie


def test_a_wrong_key_is_refused_in_words(closed: Site) -> None:
    page = closed.send("/sign-in", "/sign-in", status=401, key="wrong")
    assert "The API key is not accepted" in page


def test_signing_out_ends_the_session_in_the_server(closed: Site) -> None:
    closed.sign_in(KEY)
    cookies = dict(closed.client.cookies)
    closed.send("/sign-out", "/")
    closed.client.cookies.update(cookies)
    assert closed.client.get("/").url.path == "/sign-in"


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
)
def test_a_change_from_another_page_is_refused(opened: Site, headers: dict[str, str]) -> None:
    token = opened.dashboard.sessions.form_token(None)
    answer = opened.client.post("/sign-out", data={"token": token}, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("token", ["", "0" * 64, "ü"])
def test_a_change_without_the_forms_token_is_refused(opened: Site, token: str) -> None:
    answer = opened.client.post("/sign-out", data={"token": token}, headers=SAME_ORIGIN)
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text


def test_an_older_browser_that_tells_the_origin_only_is_believed(opened: Site) -> None:
    token = opened.dashboard.sessions.form_token(None)
    answer = opened.client.post("/sign-out", data={"token": token}, headers={"Origin": opened.url})
    assert answer.status_code == 200


def test_the_sign_in_leads_to_pages_of_ours_only(closed: Site) -> None:
    token = closed.dashboard.sessions.form_token(None)
    for target in ("//evil.example", "https://evil.example", "/\\evil.example", ""):
        fields = {"token": token, "key": KEY, "next": target}
        answer = closed.client.post("/sign-in", data=fields, headers=SAME_ORIGIN, follow_redirects=False)
        assert answer.headers["location"] == "/"
        closed.client.cookies.clear()
