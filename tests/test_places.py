"""Where files may be had is found without asking for one; a host is asked for nothing but a connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from engine import places
from engine.places import candidates, home, reachable

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A place that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1)
        yield server


@pytest.fixture
def closed() -> str:
    """A place where nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return address(server)


def address(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_home_is_named_or_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert home() == tmp_path / "home"
    monkeypatch.delenv("HEADSTART_HOME")
    monkeypatch.setattr(places, "sys", SimpleNamespace(platform="linux"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert home() == tmp_path / "headstart"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert home() == Path.home() / ".cache" / "headstart"
    monkeypatch.setattr(places, "sys", SimpleNamespace(platform="darwin"))
    assert home() == Path.home() / "Library" / "Caches" / "headstart"
    monkeypatch.setattr(places, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert home() == tmp_path / "local" / "headstart"


def test_a_file_is_looked_for_at_each_mirror_under_both_names_and_then_at_its_publisher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://a.org/b/bees%20v2.zip?download=1"
    assert candidates("tasks/bees.zip", url) == [url]
    monkeypatch.setenv("HEADSTART_MIRROR", f"{tmp_path.as_uri()}, http://m.org/x/\n")
    assert candidates("tasks/bees.zip", url) == [
        tmp_path / "tasks" / "bees.zip",
        tmp_path / "bees v2.zip",
        "http://m.org/x/tasks/bees.zip",
        "http://m.org/x/bees%20v2.zip",
        url,
    ]
    assert candidates("bees.zip", (tmp_path / "bees.zip").as_uri()) == [
        tmp_path / "bees.zip",
        "http://m.org/x/bees.zip",
        tmp_path / "bees.zip",
    ]


def test_a_redirect_from_https_to_http_is_not_followed() -> None:
    rule = places._NoDowngrade()
    with pytest.raises(HTTPError, match="from https to http"):
        rule.redirect_request(Request("https://a.org/x"), None, 302, "Found", Message(), "http://a.org/x")  # type: ignore[arg-type]


def test_reachable_is_empty_or_a_reason(closed: str, tmp_path: Path) -> None:
    assert reachable(closed + "/x") == "127.0.0.1 does not answer: Connection refused"
    assert reachable(tmp_path.as_uri()) == ""
    assert reachable((tmp_path / "gone").as_uri()) == f"{tmp_path / 'gone'} is not there"


def test_a_host_is_asked_for_nothing_but_a_connection(server: socket.socket) -> None:
    assert reachable(address(server) + "/bees.zip") == ""
    connection, _ = server.accept()
    with connection:
        assert connection.recv(1) == b""


def test_offline_means_that_no_host_is_asked(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    assert "HEADSTART_OFFLINE" in reachable(address(server))
    server.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.accept()


def test_an_answer_is_believed_for_a_minute(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reachable(closed)
    with socket.create_server(("127.0.0.1", int(closed.rsplit(":", 1)[1]))):
        assert reachable(closed)
        monkeypatch.setattr(places, "REMEMBERED", 0.0)
        assert reachable(closed) == ""


def test_behind_a_proxy_the_proxy_must_answer(server: socket.socket, closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", address(server))
    assert reachable("http://far.away.invalid/x") == ""
    monkeypatch.setenv("http_proxy", closed)
    assert reachable("http://far.away.invalid/x") == "127.0.0.1 does not answer: Connection refused"
