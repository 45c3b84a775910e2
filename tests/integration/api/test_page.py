"""The files of the page: all served, with their types, and nothing in them that the page's policy is there to stop."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from flask.testing import FlaskClient

from st2api import web

_FILES = {file.name for file in resources.files(web).iterdir() if file.is_file()}


def test_what_is_served_is_what_is_there() -> None:
    assert {name for name in _FILES if not name.endswith((".py", ".html"))} == set(web.ASSETS)


@pytest.mark.parametrize("name", web.ASSETS)
def test_a_file(client: FlaskClient, name: str) -> None:
    response = client.get(f"/web/{name}")
    assert response.status_code == 200
    expected = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[name.rpartition(".")[2]]
    assert response.mimetype == expected
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    for imported in re.findall(r'from "\./([^"]+)"', response.text if name.endswith(".js") else ""):
        assert imported in web.ASSETS
    # Output is text, never markup, and a policy without "unsafe-inline" ignores attributes of style.
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|setAttribute\(.style", response.text
    )


@pytest.mark.parametrize("name", ["__init__.py", "index.html", "..%2fservice.py", "nosuch.js"])
def test_other_files_are_not_there(client: FlaskClient, name: str) -> None:
    assert client.get(f"/web/{name}").status_code == 404


def test_the_page_has_no_script_or_style_of_its_own(client: FlaskClient) -> None:
    response = client.get("http://127.0.0.1:9101/", headers={"Accept": "text/html"})
    policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self' http://127.0.0.1:9102",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert re.findall(r"<script[^>]*>(.*?)</script>", response.text, flags=re.DOTALL) == [""]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", response.text)
    for referred in re.findall(r'(?:src|href)="web/([^"]+)"', response.text):
        assert referred in web.ASSETS
