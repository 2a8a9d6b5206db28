"""Modules are served by their exact names, and nothing else is."""

from __future__ import annotations

import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from demo.server import scripts


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(routes=scripts.routes()))


def test_the_imports_of_every_module_are_served(client: TestClient) -> None:
    waiting, seen = [f"{scripts.BASE}/demo/components/race_chart/component.js"], set[str]()
    while waiting:
        address = waiting.pop()
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert answer.headers["content-type"].startswith("text/javascript")
        seen.add(address)
        imported = re.findall(r'^import .* from "(.*)";$', answer.text, re.MULTILINE)
        waiting += [path for name in imported if (path := str(answer.url.join(name).path)) not in seen]
    assert f"{scripts.BASE}/engine/export/lib/reducer.js" in seen


@pytest.mark.parametrize(
    "path",
    [
        "demo/components/base.py",
        "demo/theme.css",
        "app.py",
        "engine/export/replay/player.js",
        "demo/components/../../app.py",
        "demo/components/%2e%2e/%2e%2e/app.py",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "demo/components/lib/",
        "demo/components/lib/none.js",
        "..%5C..%5Capp.py",
        "",
    ],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(f"{scripts.BASE}/{path}").status_code == 404


def test_an_unchanged_module_is_not_sent_again(client: TestClient) -> None:
    address = f"{scripts.BASE}/demo/components/lib/race.js"
    first = client.get(address)
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
