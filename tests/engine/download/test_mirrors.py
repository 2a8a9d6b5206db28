"""The sources of a file are listed without a request, and testing a host opens only a connection."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import platformdirs
import pytest

from engine.download.mirrors import Reachability, RefusedError, candidates, home, refuse_downgrade

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A server that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1)
        yield server


@pytest.fixture
def closed() -> str:
    """An address where no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return address(server)


def address(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def reachable(url: str) -> str:
    return Reachability().reason(url)


def test_home_is_the_named_folder_or_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert home() == tmp_path / "home"
    monkeypatch.delenv("HEADSTART_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert home() == platformdirs.user_cache_path() / "headstart"


@pytest.mark.skipif(sys.platform != "linux", reason="the cache folder differs")
def test_on_linux_home_follows_the_desktop_standard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HEADSTART_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert home() == tmp_path / "headstart"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert home() == Path.home() / ".cache" / "headstart"


def test_sources_are_each_mirror_under_both_names_and_then_the_publisher(
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


@pytest.mark.parametrize(
    ("url", "location", "is_refused"),
    [
        ("https://a.org/x", "http://a.org/x", True),
        ("https://a.org/x", "//b.org/x", False),
        ("https://a.org/x", "/y", False),
        ("http://a.org/x", "https://a.org/x", False),
        ("http://a.org/x", "http://b.org/x", False),
    ],
)
def test_a_redirect_from_https_to_http_is_not_followed(url: str, location: str, is_refused: bool) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": location}) if request.url == url else httpx.Response(200)

    hooks = {"response": [refuse_downgrade]}
    with httpx.Client(transport=httpx.MockTransport(answer), follow_redirects=True, event_hooks=hooks) as client:
        if is_refused:
            with pytest.raises(RefusedError, match="it answers 302 and leads from https to http"):
                client.get(url)
        else:
            assert client.get(url).is_success


def test_the_reason_is_empty_where_a_source_answers(closed: str, tmp_path: Path) -> None:
    assert reachable(closed + "/x") == "127.0.0.1 does not answer: Connection refused"
    assert reachable(tmp_path.as_uri()) == ""
    assert reachable((tmp_path / "missing").as_uri()) == f"{tmp_path / 'missing'} is not there"


def test_a_reachability_check_sends_no_bytes(server: socket.socket) -> None:
    assert reachable(address(server) + "/bees.zip") == ""
    connection, _ = server.accept()
    with connection:
        assert connection.recv(1) == b""


def test_offline_no_connection_is_opened(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    assert "HEADSTART_OFFLINE" in reachable(address(server))
    server.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.accept()


def test_each_host_is_tried_once(closed: str) -> None:
    hosts = Reachability()
    assert hosts.reason(closed)
    with socket.create_server(("127.0.0.1", int(closed.rsplit(":", 1)[1]))):
        assert hosts.reason(closed)
        assert reachable(closed) == ""


def test_behind_a_proxy_the_proxy_must_answer(server: socket.socket, closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", address(server))
    assert reachable("http://far.away.invalid/x") == ""
    monkeypatch.setenv("http_proxy", closed)
    assert reachable("http://far.away.invalid/x") == "127.0.0.1 does not answer: Connection refused"
